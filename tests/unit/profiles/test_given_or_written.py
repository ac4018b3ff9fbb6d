"""Own texts where the data give them, summaries of the others: who is asked about, failures, versions, a whole run."""

import json
from pathlib import Path

import pytest

from tailorlm.assembly import build
from tailorlm.assembly.profilers import Known, make
from tailorlm.assembly.recipes import ProfileSettings, read
from tailorlm.data.records import Interaction, User
from tailorlm.hypernet.checkpoint import from_pretrained
from tailorlm.profiles import given
from tailorlm.profiles.given_or import GivenOr
from tailorlm.profiles.llm import ProfileError, ProfilesError, Summariser

ITEMS = (Interaction("x", "comedy", None, "movie_tagging"),)
TELLS, BLANK, SILENT = User("t", ITEMS, "likes comedies\nhates war"), User("b", ITEMS, " \n"), User("s", ITEMS)


def writing(asked: list[str], bad: str = "") -> GivenOr:
    def complete(prompts):
        asked.extend(prompts)
        return ["" if bad and place == 0 else f"summary {place}" for place, _ in enumerate(prompts)]

    return GivenOr(Summariser(complete, "writer"))


def test_the_own_text_is_taken_and_the_others_are_written_in_order() -> None:
    asked: list[str] = []
    made = writing(asked)([SILENT, TELLS, BLANK], None)
    assert [profile.text for profile in made] == ["summary 0", "likes comedies\nhates war", "summary 1"]
    assert [profile.user_id for profile in made] == ["s", "t", "b"] and len(asked) == 2
    assert not any("likes comedies" in prompt for prompt in asked)  # who brings a text is not asked about
    assert len({profile.template for profile in made}) == 1 and made[0].template.startswith(given.VERSION + "|llm-")
    again: list[str] = []
    assert writing(again)([TELLS], "movie_tagging")[0].text == made[1].text and not again


def test_a_summary_that_fails_costs_nobody_elses_profile() -> None:
    with pytest.raises(ProfilesError, match="user 's' has no profile") as caught:
        writing([], bad="first")([TELLS, SILENT, BLANK], None)
    tells, failed, blank = caught.value.found
    assert isinstance(failed, ProfileError) and failed.user_id == "s"
    assert tells.text == "likes comedies\nhates war" and blank.text == "summary 1"
    assert tells.template == blank.template


def test_it_needs_somebody_who_writes() -> None:
    with pytest.raises(ValueError, match="profile.kind is given_or_llm: it needs the base model"):
        make(ProfileSettings(kind="given_or_llm"), Known())


def test_a_network_is_trained_on_both(tiny_recipe: Path, tiny_users: Path, tmp_path: Path) -> None:
    lines = [json.loads(line) for line in tiny_users.read_text(encoding="utf-8").splitlines()]
    for line in lines[::2]:
        line["profile"] = f"own words of {line['user_id']}"
    (tmp_path / "users.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    changes = [
        'profile.kind="given_or_llm"', "profile.max_new_tokens=4", "methods.p2p.train.steps=1",
        'methods.p2p.net.pool="single"', 'methods.p2p.net.head="L"', f'data.root="{tmp_path}"',
        'data.train="users.jsonl"', "max_tokens=400",
        'profile.template.instruction="Describe."', 'profile.template.item="{output}"',
    ]  # fmt: skip
    recipe = read(tiny_recipe, changes)
    built = build.assemble(recipe)
    texts = {user.id: built.bench.profile(user.id, user.history, None).text for user in built.users}
    assert {id for id, text in texts.items() if text == f"own words of {id}"} == {
        id for id in texts if int(id[1:]) % 2 == 0
    }
    meta = from_pretrained(build.train(recipe, tmp_path / "run"))[1]
    assert meta.template.startswith(given.VERSION + "|") and meta.recipe["use"]["profile"]["kind"] == "given_or_llm"
