"""Profiles that came with the data."""

import json
from pathlib import Path

import pytest

from tailorlm import Tailor
from tailorlm.assembly import build
from tailorlm.assembly.fitting import fit
from tailorlm.assembly.recipes import read
from tailorlm.data.load import load
from tailorlm.data.records import User
from tailorlm.profiles import llm
from tailorlm.profiles.given import NEUTRAL, VERSION, profile


def test_lines_are_statements():
    made = profile(User("u", (), "likes tea\n\n  shouts "), "t")
    assert [(s.facet, s.text) for s in made.statements] == [("line 1", "likes tea"), ("line 2", "shouts")]
    assert (made.user_id, made.task, made.template) == ("u", "t", VERSION)


@pytest.mark.parametrize("text", [None, "", " \n "])
def test_none_is_neutral(text):
    assert profile(User("u", (), text)).text == NEUTRAL


def with_texts(tiny_users: Path, folder: Path, having: int) -> Path:
    """The tiny users, of whom the first `having` bring a text."""
    lines = [json.loads(line) for line in tiny_users.read_text().splitlines()]
    told = [line | ({"profile": f"user {n} shouts"} if n < having else {}) for n, line in enumerate(lines)]
    path = folder / "told.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in told))
    return path


def test_training_on_given_profiles_wants_one_at_least(tiny_recipe: Path, tiny_users: Path, tmp_path: Path):
    recipe = read(tiny_recipe, ['profile.kind="given"'])
    with pytest.raises(ValueError, match='"given", and none of the 7 training users has a profile text'):
        build.train(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_who_brings_no_text_is_counted_in_training_and_noted_at_use(
    tiny_recipe: Path, tiny_users: Path, tmp_path: Path
):
    path = with_texts(tiny_users, tmp_path, 8)
    recipe = read(tiny_recipe, ['profile.kind="given"'], path)
    tailor = Tailor.from_pretrained(build.train(recipe, tmp_path / "run"))
    missing = json.loads((tmp_path / "run" / "run.json").read_text())["data_notes"]
    assert 0 < missing["training users without a profile"] <= 2
    people = list(load(path).users.values())
    assert set(tailor.personalize(users=people).notes) == {"u8", "u9"}
    note = tailor.personalize(users=people[8]).notes["u8"]
    assert note == "nothing personal to go by (no profile was given): the neutral adapter"


def test_everybody_with_a_text_needs_no_note(tiny_recipe: Path, tiny_users: Path, tmp_path: Path):
    recipe = read(tiny_recipe, ['profile.kind="given"'], with_texts(tiny_users, tmp_path, 10))
    assert not build.assemble(recipe).notes


def test_a_neutral_summary_is_noted():
    made = llm.Summariser(lambda prompts: [], "w")([User("u", ())])[0]
    assert llm.NEUTRAL in fit(made, ()).note and fit(profile(User("u", (), "likes tea")), ()).note == ""
