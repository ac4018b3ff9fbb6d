"""Virtual tokens take positions of the model wherever a method fits its texts: in training and at answering."""

from dataclasses import replace

import pytest
import torch

from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.prompt_tuning import Space
from tailorlm.backbone import generate as generation
from tailorlm.backbone.inject import Injector
from tailorlm.data.records import Interaction, User
from tailorlm.methods import answering, oppu, tuning
from tailorlm.methods.answering import Question, answers
from tailorlm.training.many import ManySettings

VIRTUAL, NEW = 40, 3


@pytest.fixture
def whole(bench):
    """As many tokens as the model has positions: 512."""
    return replace(bench, max_tokens=bench.backbone.max_tokens)


@pytest.fixture
def lengths(monkeypatch):
    """Tokens of all prompts that the model was asked."""
    seen = []
    plain = generation.encode_prompt

    def encode(tokenizer, prompt, max_tokens):
        ids = plain(tokenizer, prompt, max_tokens)
        seen.append(len(ids))
        return ids

    monkeypatch.setattr(generation, "encode_prompt", encode)
    return seen


def asked(bench):
    task = replace(bench.task_of("headline"), max_new_tokens=NEW)
    return [Question(0, task, task.prompt(f"Write a headline: {'long news ' * 80}"), "x")]


@pytest.mark.parametrize(("virtual", "under"), [(VIRTUAL, True), (VIRTUAL, False), (1, True)])
def test_prompts_leave_room_for_virtual_tokens_and_the_answer(whole, lengths, virtual, under):
    space = Space(virtual, 32)
    adapters = Adapters(space, {"prompt": torch.randn(1, virtual, 32)}) if under else None
    index = torch.tensor([[0 if under else -1]])
    said = answers(whole, Injector(whole.backbone.model, space), asked(whole), adapters, index, 2)
    assert len(said) == 1 and len(said[0]) == 1
    # Without adapters the base has all positions; every position that is left is used.
    assert max(lengths) == 512 - NEW - (virtual if under else 0)


def test_a_bench_that_asks_for_less_keeps_it(bench, lengths):
    short = replace(bench, max_tokens=200)
    space = Space(VIRTUAL, 32)
    adapters = Adapters(space, {"prompt": torch.randn(1, VIRTUAL, 32)})
    answers(short, Injector(short.backbone.model, space), asked(short), adapters, torch.tensor([[0]]), 2)
    assert max(lengths) == 200 - NEW  # the answer is a part of what a bench allows, as in evaluation
    assert short.beside(VIRTUAL) is short and bench.beside(500).max_tokens == 12


@pytest.mark.parametrize("virtual", [0, 1, VIRTUAL])
@pytest.mark.parametrize("allowed", [2, NEW, 200, 500, 512, 4096])
def test_fitness_sees_as_much_of_a_question_as_evaluation_shows(bench, lengths, allowed, virtual):
    some, space = replace(bench, max_tokens=allowed), Space(max(virtual, 1), 32)
    adapters = Adapters(space, {"prompt": torch.randn(1, virtual, 32)}) if virtual else None
    questions, index = asked(some), torch.tensor([[0 if virtual else -1]])
    answers(some, Injector(some.backbone.model, space), questions, adapters, index, 2)
    assert max(lengths) == answering.longest(some, questions[0].task, virtual=virtual)


@pytest.mark.parametrize("kind", ["prompt_tuning", "prefix_tuning", "ia3"])
def test_users_are_trained_on_rows_that_leave_room(whole, monkeypatch, kind):
    rows = []
    made = tuning.own_rows
    monkeypatch.setattr(tuning, "own_rows", lambda *given: rows.append(made(*given)) or rows[-1])
    history = tuple(Interaction(f"Write a headline: {'long news ' * 80}", "so", float(n), "headline") for n in range(2))
    options = {"targets": ["k_proj", "v_proj", "down_proj"]} if kind == "ia3" else {"tokens": VIRTUAL}
    settings = oppu.Settings(kind=kind, options=options, epochs=1, batch=2, train=ManySettings(learning_rate=1e-3))
    source = oppu.Source(whole, settings)
    roster = source.enrol([User("u", history)])
    more = (*history, Interaction(f"Write a headline: {'news ' * 200}", "so", 2.0, "headline"))
    source.more(roster, [User("u", more)])
    longest = [max(len(row.ids) for row in found.rows) for found in rows]
    assert longest == [512 - (0 if kind == "ia3" else VIRTUAL)] * 2
