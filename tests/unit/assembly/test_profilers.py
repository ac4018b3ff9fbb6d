"""Profiles by the recipe: labels and norms from training users, given texts, the base as writer, fitting slots."""

from dataclasses import replace
from pathlib import Path

import pytest

from tailorlm.assembly.benches import fingerprint, load_base, make_profilers
from tailorlm.assembly.fitting import fit, from_text
from tailorlm.assembly.profilers import Known, labels_of, learn, make, one_by_one, replies_of
from tailorlm.assembly.recipes import BaseSettings, ProfileSettings
from tailorlm.data.records import Interaction, User
from tailorlm.profiles.endpoint import Settings as Endpoint
from tailorlm.profiles.profile import Profile, Statement
from tailorlm.profiles.replies import CachedReplies
from tailorlm.profiles.templates import Template

RATED = User("r", tuple(Interaction(f"good film {n % 3}", str(1 + n % 5), None, "rating") for n in range(20)))
TAGGED = User("t", (Interaction("x", "comedy", None, "movie_tagging"),), "likes comedies\nhates war")


def test_label_lists_but_no_ratings() -> None:
    assert set(labels_of({"movie_tagging", "lamp_3", "headline", None, "unheard of"})) == {"movie_tagging"}


def test_norms_are_learned_where_asked() -> None:
    other = replace(RATED, id="s")
    with_norms = learn(ProfileSettings(norms=True), [RATED, TAGGED, other])
    assert set(with_norms.norms) == {"rating"} and "movie_tagging" in with_norms.labels
    assert learn(ProfileSettings(labels=False), [RATED]) == Known()
    assert learn(ProfileSettings(kind="given", norms=True), [RATED]) == Known()
    [profile] = make(ProfileSettings(), with_norms)([RATED], None)
    assert profile.template.endswith("+norms") and any("strictness" in s.facet for s in profile.statements)


def test_a_training_user_is_not_compared_with_the_own_items() -> None:
    alone = learn(ProfileSettings(norms=True), [RATED, TAGGED])
    assert set(alone.norms_for("new")) == {"rating"} and alone.norms_for("r") == {}
    made = make(ProfileSettings(norms=True), alone)([RATED, replace(RATED, id="new")], None)
    assert [any("strictness" in s.facet for s in one.statements) for one in made] == [False, True]
    assert made[0].template == made[1].template
    kept = Known(alone.labels, alone.norms)  # what a checkpoint holds
    assert kept.norms_for("r") == alone.norms_for("new")


def test_a_recipe_replaces_the_sensitive_traits_of_every_kind() -> None:
    sick = User("s", tuple(Interaction(f"file letter {n}", "hiv positive", None, "folder") for n in range(8)))
    [default] = make(ProfileSettings(), Known())([sick], None)
    [emptied] = make(ProfileSettings(template=Template(sensitive=())), Known())([sick], None)
    assert "hiv" not in default.text and "hiv positive" in emptied.text


def test_words_for_a_task_that_nobody_has_are_refused() -> None:
    for table in ("instructions", "descriptions"):
        odd = ProfileSettings(kind="llm", template=Template(**{table: {"lamp_3": "x", "lamp_33": "x"}}))
        with pytest.raises(ValueError, match="words for the task 'lamp_33'; there are: .*lamp_3.*movie_tagging"):
            learn(odd, [TAGGED])
        own = ProfileSettings(kind="llm", template=Template(**{table: {"my_own": "x"}}))
        assert learn(own, [replace(TAGGED, history=(Interaction("x", "y", None, "my_own"),))]) == Known()


def test_given_profiles_go_with_their_users() -> None:
    profilers = make(ProfileSettings(kind="given"), Known())
    assert profilers([TAGGED], None)[0].text == "likes comedies\nhates war"
    profile = one_by_one(profilers, [TAGGED])
    assert profile("t", TAGGED.history, None).text == "likes comedies\nhates war"
    assert profile("t", (), None) is profile("t", (), None)


@pytest.mark.parametrize("kind", ["llm", "given_or_llm", "given", "statistical"])
def test_which_profilers_keep_replies(tmp_path: Path, kind: str) -> None:
    written = kind in ("llm", "given_or_llm")

    def of(cache: str) -> CachedReplies | None:
        endpoint = Endpoint("http://localhost/v1", "m", cache=cache) if written else None
        return replies_of(make(ProfileSettings(kind=kind, endpoint=endpoint), Known()))

    found = of(str(tmp_path / "replies"))
    assert (found is not None) is written and of("") is None
    assert found is None or found.file.parent == tmp_path / "replies"


def test_the_base_model_writes(tiny_base: Path) -> None:
    backbone = load_base(BaseSettings(name=str(tiny_base)))
    short = Template(instruction="Describe.", item="{output}")
    profilers = make_profilers(ProfileSettings(kind="llm", max_new_tokens=12, template=short), Known(), backbone)
    [profile] = profilers([TAGGED], None)
    assert profile.template.endswith(f":{tiny_base}") and profile.statements
    with pytest.raises(ValueError, match="profile.kind is llm: it needs the base model"):
        make(ProfileSettings(kind="llm"), Known())


def test_fingerprints_tell_weights_apart(tiny_base: Path, other_base: Path) -> None:
    prints = [fingerprint(load_base(BaseSettings(name=str(base)))) for base in (tiny_base, tiny_base, other_base)]
    assert prints[0] == prints[1] != prints[2]
    assert fingerprint(load_base(BaseSettings(name=str(tiny_base), dtype="bfloat16"))) == prints[0]


def test_what_has_no_slot_is_left_out_and_noted() -> None:
    said = tuple(Statement(facet, facet.upper()) for facet in ("history", "a", "b"))
    profile = Profile("u", None, said, "t")
    assert fit(profile, ()).note == "" and fit(profile, ("history", "a", "b")).note == ""
    some = fit(profile, ("history", "a"))
    assert some.profile.statements == said[:2] and some.note.startswith("1 of 3 statements")
    assert "none of 3 statements" in fit(profile, ("history", "z")).note
    assert "history is empty" in fit(Profile("u", None, said[:1], "t"), ("history",)).note


def test_the_longest_facet_that_fits_a_line_is_meant() -> None:
    [statement] = from_text("u", "a: b = c = d", ("a", "a: b"), "t").statements
    assert statement == Statement("a: b", "c = d")
    with pytest.raises(ValueError, match="line 1"):
        from_text("u", "a =", ("a",), "t")
