"""Profiles by counting on real histories: the right kind of task, bounded wordings, no surprises."""

import os
from pathlib import Path

import pytest

from tailorlm.data.load import load
from tailorlm.profiles.statistical import summarise

SHARED = Path(os.environ.get("TAILORLM_SHARED", Path(__file__).parents[4] / "shared"))
needs_data = pytest.mark.skipif(not (SHARED / "data").is_dir(), reason=f"needs the shared data in {SHARED}")


def profiles(task, **known):
    users = list(load(SHARED / "data" / task / "dev_questions.json", "stop").users.values())[:100]
    return [summarise(user.id, user.history, **known) for user in users]


@needs_data
@pytest.mark.parametrize(("task", "facet"), [("LaMP_3", "level"), ("LaMP_4", "case"), ("LaMP_7", "ending")])
def test_kinds_are_found(task, facet):
    assert all(f"{task.lower()}: {facet}" in {s.facet for s in made.statements} for made in profiles(task))


@needs_data
def test_known_labels_give_every_user_the_same_facets():
    tags = ("action", "based on a book", "classic", "comedy", "dark comedy", "dystopia", "fantasy")
    tags += ("psychology", "romance", "sci-fi", "social commentary", "thought-provoking")
    tags += ("true story", "twist ending", "violence")
    made = profiles("LaMP_2M", labels={"lamp_2m": tags})
    assert all({f"lamp_2m: {tag}" for tag in tags} < {s.facet for s in one.statements} for one in made)
    assert len({s.text for one in made for s in one.statements}) < 15 * 12
