"""Summaries by a language model: the prompt, sampling, the version, replies, sensitive traits."""

import pytest

from tailorlm.data.records import Interaction, User
from tailorlm.profiles.endpoint import BatchError, EndpointError
from tailorlm.profiles.llm import NEUTRAL, ProfileError, ProfilesError, Summariser, statements
from tailorlm.profiles.templates import CUT_MARK, Template, chosen, prompt
from tailorlm.recipe import settings


def user(count, id="u1", task="t"):
    return User(id, tuple(Interaction(f"asked {n}.", f"answer {n}.", float(n), task) for n in range(count)))


class Model:
    def __init__(self, reply="preferences: tea\nform: short"):
        self.reply, self.prompts = reply, []

    def __call__(self, prompts):
        self.prompts += prompts
        return [self.reply for _ in prompts]


def test_each_user_is_asked_about_and_answered_in_order():
    model = Model()
    made = Summariser(model, "tiny@1")([user(3, "u1"), user(0, "u2"), user(2, "u3")])
    assert [profile.user_id for profile in made] == ["u1", "u2", "u3"] and len(model.prompts) == 2
    assert [(s.facet, s.text) for s in made[0].statements] == [
        ("preferences", "preferences: tea"),
        ("form", "form: short"),
    ]
    assert [(s.facet, s.text) for s in made[1].statements] == [("summary", NEUTRAL)]
    assert len({profile.template for profile in made}) == 1 and made[0].template.endswith(":tiny@1")


def test_only_the_task_is_summarised():
    both = User("u", (*user(2, task="a").history, *user(1, task="b").history))
    model = Model()
    assert Summariser(model, "m")([both], task="b")[0].task == "b"
    assert model.prompts[0].count("<example>") == 1


def test_newest_items_are_shown_oldest_first():
    text = prompt(Template(items=2), "u", user(5).history)
    assert "answer 2." not in text and 0 < text.index("answer 3.") < text.index("answer 4.")


def test_a_random_sample_is_seeded_and_in_order():
    history, template = user(50).history, Template(items=5, sample="random", seed=3)
    first = chosen(template, "u", history)
    assert first == chosen(template, "u", history) and len(first) == 5
    assert first == sorted(first, key=lambda item: item.time)
    assert first != chosen(template, "v", history) and first != list(history[-5:])
    assert chosen(Template(items=5, sample="random", seed=4), "u", history) != first


def test_the_version_names_the_sampling_and_every_word():
    assert Template().version.startswith("llm-1:newest-20:")
    assert Template(sample="random", seed=7, items=9).version.startswith("llm-1:random-9-seed-7:")
    changes = ({"instruction": "x"}, {"item": "{output}"}, {"headings": ("a",)}, {"sensitive": ()})
    versions = {Template(**change).version for change in ({}, {"item_chars": 99}, *changes)}
    assert len(versions) == 6


def test_a_template_is_replaceable_from_a_recipe():
    template = settings(Template, {"instruction": "About {task}: {headings}", "headings": ["likes"], "items": 1})
    assert prompt(template, "u", user(2).history, "movie_tagging").startswith("About movie tagging: - likes\n\n")


def test_a_task_is_asked_for_in_its_own_words():
    own = {"a": "The {task} tag? {sensitive}"}
    template = settings(
        Template, {"instruction": "All of {task}.", "instructions": own, "descriptions": {"a": "films"}}
    )
    one, other, both = user(2, task="a").history, user(2, task="b_c").history, Interaction("in", "out", 9.0, "b_c")
    assert prompt(template, "u", one, "a").startswith("The films tag? health, ")
    assert prompt(template, "u", one) == prompt(template, "u", one, "a")  # the history is of no other task
    assert prompt(template, "u", other, "b_c").startswith("All of b c.\n\n")
    assert prompt(template, "u", (*one, both)).startswith("All of all tasks.\n\n")
    assert prompt(template, "u", (*one, both), "a").startswith("The films tag?")
    plain = Template(instruction="All of {task}.")
    assert len({plain.version, template.version, settings(Template, {"instructions": own}).version}) == 3
    assert Template().version == "llm-1:newest-20:66abbff307"  # as before tasks had words of their own


@pytest.mark.parametrize("bad", [{"items": 0}, {"item_chars": 3}, {"item": "{input}"}])
def test_bad_templates_are_refused(bad):
    with pytest.raises(ValueError, match=f"template {next(iter(bad))}"):
        Template(**bad)


def test_braces_in_users_texts_are_left_alone():
    history = [Interaction("{output} {headings}", "{input} {0} {}")]
    text = prompt(Template(), "u", history)
    assert "<asked>{output} {headings}</asked>" in text and "<answered>{input} {0} {}</answered>" in text


def test_long_fields_are_cut_with_a_mark():
    text = prompt(Template(item_chars=20), "u", [Interaction("a" * 21, "b" * 20)])
    assert "a" * 20 + CUT_MARK in text and "b" * 20 + CUT_MARK not in text and "a" * 21 not in text


def test_the_sensitive_list_is_in_the_prompt_and_enforced():
    assert "religion" in prompt(Template(), "u", user(1).history)
    model = Model("preferences: tea\nhabits: goes to a Catholic church and is pregnant\ntone: calm")
    summariser = Summariser(model, "m")
    made = summariser([user(1)])[0]
    assert [s.facet for s in made.statements] == ["preferences", "tone"]
    assert summariser.left_out == {"health": 1, "religion": 1}
    kept = Summariser(model, "m", Template(sensitive=()))([user(1)])[0]
    assert len(kept.statements) == 3


def test_a_summary_of_nothing_but_sensitive_traits_is_neutral():
    assert Summariser(Model("tone: is depressed"), "m")([user(1)])[0].text == NEUTRAL


@pytest.mark.parametrize("reply", ["", "  \n\n", "- \n**"])
def test_an_empty_reply_names_the_user(reply):
    with pytest.raises(ValueError, match="u7"):
        Summariser(Model(reply), "m")([user(1, "u7")])


def test_too_few_replies_are_noticed():
    with pytest.raises(ValueError, match="0 replies to 1 prompts"):
        Summariser(lambda prompts: [], "m")([user(1)])


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("tone: dry\nform: lists", {"tone": "tone: dry", "form": "form: lists"}),
        (
            "1. **Tone:** dry\n2) FORM: lists\n   and tables",
            {"tone": "tone: dry", "form": "form: lists and tables"},
        ),
        ("Here it is\ntone: dry", {"summary": "Here it is", "tone": "tone: dry"}),
        ("They like tea: much", {"summary": "They like tea: much"}),
        ("tone: dry\ntone: warm", {"tone": "tone: dry warm"}),
    ],
)
def test_replies_become_one_statement_a_heading(reply, expected):
    assert {s.facet: s.text for s in statements(reply, ("tone", "form"))} == expected


def test_a_user_whose_request_fails_costs_no_other_theirs():
    def complete(prompts):
        failed = EndpointError(1, "host: HTTP 500 (after 6 tries)")
        raise BatchError(1, failed.reason, ["form: short", failed, " ", "form: long"])

    with pytest.raises(ProfilesError) as caught:
        Summariser(complete, "m")([user(1, "u1"), user(1, "u2"), user(0, "new"), user(1, "u3"), user(1, "u4")])
    first, second, new, third, last = caught.value.found
    assert (first.text, new.text, last.text) == ("form: short", NEUTRAL, "form: long")
    assert isinstance(second, ProfileError) and second.user_id == "u2" and isinstance(third, ProfileError)
    assert str(second) == "user 'u2' has no profile: host: HTTP 500 (after 6 tries)"
    assert str(third) == "user 'u3' has no profile: the model's summary is empty; expected at least one line"
    assert str(caught.value) == f"{second} (2 of 5 users have none)"
    assert "asked" not in str(caught.value) and "answer" not in str(caught.value)
