"""The study's pieces: every query meets its own task's description, controls are of other tasks, numbers are right."""

import json
from dataclasses import dataclass, replace

import pytest
import torch

from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.lora import LoraSpace
from tailorlm.adapters.sites import Site
from tailorlm.demo import task_study_asking as asking
from tailorlm.demo.small_tasks import small_tasks
from tailorlm.demo.task_study_asking import Reply, ask, ask_descriptions, ask_prompted, conditions, nearest, wrong
from tailorlm.demo.task_study_results import against, exact, parts, results, table, told_right, write_replies
from tailorlm.demo.task_study_settings import QUICK, Plan, networks
from tailorlm.evaluation.scores import Answer

SPACE = LoraSpace((Site("layers.0.q_proj", "q_proj", 0, 2, 2),), 1)


@dataclass
class Bag:
    """An encoder of word counts: texts that share words are alike."""

    id: str = "bag"
    size: int = 512

    def __call__(self, texts):
        vectors = torch.zeros(len(texts), self.size)
        for row, text in enumerate(texts):
            for word in text.strip(".").split():
                vectors[row, sum(map(ord, word)) % self.size] += 1
        return vectors / vectors.norm(dim=1, keepdim=True)


class FakeSource:
    """Its adapters' first number is the place of the text in all it was ever told."""

    def __init__(self):
        self.bench, self.injector, self.told = type("Bench", (), {"encoder": Bag()})(), None, []

    def generate(self, texts):
        first = len(self.told)
        self.told += texts
        a = torch.arange(first, first + len(texts)).float().view(-1, 1, 1, 1).expand(-1, 1, 1, 2)
        return Adapters(SPACE, {"q_proj.A": a, "q_proj.B": torch.zeros(len(texts), 1, 2, 1)})


@pytest.fixture(scope="module")
def tasks():
    return small_tasks(0, examples=2, queries=3)


@pytest.fixture
def met(monkeypatch):
    """What each query was answered with: the roster's place, and its prompt."""
    calls = []

    def answers(bench, injector, queries, roster, prompts=None):
        places = roster.index(queries)
        calls.append((queries, places, roster.adapters, prompts))
        return [Answer(q.id, q.user_id, q.task, "said", q.target, 0.0) for q in queries]

    monkeypatch.setattr(asking, "answers", answers)
    return calls


def test_every_query_is_answered_under_a_description_told_for_its_own_task(tasks, met):
    source, found = FakeSource(), {}
    told = conditions(tasks, source, 0)
    ask_descriptions(None, source, tasks, found, "t2l", told)
    assert list(found["t2l"]) == list(told)
    for (queries, places, adapters, _), by_task in zip(met, told.values(), strict=True):
        used = {}
        for query, place in zip(queries, places, strict=True):
            text = source.told[int(adapters.tensors["q_proj.A"][place, 0, 0, 0])]
            name = query.id.partition("#")[0]
            assert text in by_task[name]
            used.setdefault(name, set()).add(text)
        assert {name: set(said) for name, said in by_task.items()} == used


def test_held_out_tasks_are_asked_apart_and_imprecise_and_wrong_words_are_of_seen_ones(tasks):
    told = conditions(tasks, FakeSource(), 0)
    split = {task.name: task.split for task in tasks}
    expected = {"composed": "composed", "composed, new phrases": "composed", "new": "new"}
    for condition, by_task in told.items():
        assert {split[name] for name in by_task} == {expected.get(condition, "seen")}
    own = {task.name: {*task.descriptions, *task.reworded, *task.unseen} for task in tasks}
    for condition in ("wrong", "nearest", "partial", "vague"):
        assert not any(text in own[name] for name, said in told[condition].items() for text in said)


def test_a_wrong_description_is_another_tasks_of_the_family_and_the_nearest_is_near(tasks):
    seen = [task for task in tasks if task.split == "seen"]
    family = {text: task.family for task in tasks for text in (*task.descriptions, *task.reworded)}
    source = FakeSource()
    for task in seen:
        assert {family[text] for text in wrong(seen, 0)[task.name]} == {task.family}
    assert len({said for said in wrong(seen, 0).values()}) == len(seen)
    near = nearest(seen, source)
    encode = source.bench.encoder
    for task in seen[::20]:
        others = [text for other in seen if other is not task for text in other.descriptions]
        likeness = encode(others) @ encode([task.reworded[0]])[0]
        assert float(encode(list(near[task.name]))[0] @ encode([task.reworded[0]])[0]) == pytest.approx(
            float(likeness.max())
        )
        assert near[task.name][0] in others


def test_the_base_and_single_adapters_and_one_a_task_reach_their_queries(tasks, met):
    few, found = tasks[::9], {}
    one = Adapters(SPACE, {"q_proj.A": torch.zeros(1, 1, 1, 2), "q_proj.B": torch.zeros(1, 1, 2, 1)})
    each = one[torch.zeros(len(few), dtype=torch.long)]
    for name, adapters in (("base", None), ("mt_lora", one), ("own", each)):
        ask(None, None, few, found, name, adapters)
    splits = [s for s in asking.SPLITS if any(task.split == s for task in few)]
    assert list(found["own"]) == splits
    for number, (queries, places, _, _) in enumerate(met):
        for query, place in zip(queries, places, strict=True):
            own = [task.name for task in few].index(query.id.partition("#")[0])
            assert place == (-1, 0, own)[number // len(splits)]


def test_a_prompted_base_reads_its_own_tasks_description(tasks, met):
    from tailorlm.assembly.datasets import task_of

    bench = type("Bench", (), {"task_of": staticmethod(task_of)})()
    ask_prompted(bench, None, tasks, {})
    said = {task.name: task.reworded for task in tasks}
    for queries, places, _, prompts in met:
        assert set(places) == {-1}
        assert all(p.context.strip() in said[q.user_id] for q, p in zip(queries, prompts, strict=True))


def reply(task, number, right, family="rating", condition_target="3"):
    return Reply(f"{task}#{number}", task, family, condition_target if right else "1", condition_target)


def test_exact_counts_tasks_alike_and_parts_count_attributes():
    replies = [reply("a", n, True) for n in range(9)] + [reply("b", 0, False)]
    assert exact(replies) == 0.5
    said = Reply("h#0", "h", "headline", "Rain opens the match!", "RAIN OPENS THE MATCH!")
    assert exact([said]) == 0.0
    assert parts([said]) == pytest.approx(2 / 3)


def test_differences_are_paired_and_drawn_over_tasks(tmp_path, tasks):
    good = [reply(f"t{n}", 0, True) for n in range(6)]
    bad = [replace(one, output="1") for one in good]
    found = {"t2l": {"seen": good, "wrong": bad[:5]}, "mt_lora": {"seen": bad[::-1]}}
    assert against(found, "t2l", "mt_lora") == {"seen": {"mean": 1.0, "low": 1.0, "high": 1.0}}
    assert told_right(found["t2l"])["mean"] == 1.0
    assert told_right(found["mt_lora"]) == {}
    with pytest.raises(ValueError, match="different queries"):
        against({"a": {"seen": good}, "b": {"seen": bad[:3]}}, "a", "b")
    assert against({"a": {"seen": good[:1]}, "b": {"seen": bad[:1]}}, "a", "b") == {"seen": {"mean": 1.0}}
    result = results(found, tasks)
    assert result["counts"]["seen"] >= 100
    lines = table(result)
    assert lines[2] == "| t2l | 100.0 | 0.0 |"
    assert lines[3] == "| mt_lora | 0.0 | - |"
    write_replies(tmp_path / "replies.jsonl", found)
    assert len([json.loads(line) for line in (tmp_path / "replies.jsonl").read_text().splitlines()]) == 17


def test_the_networks_are_the_trunk_the_additive_and_both_reconstructions():
    made = networks(0, Plan())
    assert [settings.goal for settings in made.values()] == ["sft", "sft", "z_score", "delta_w"]
    assert all(settings.tasks == "users" for settings in made.values())
    assert made["t2l_additive"].net.head == "additive"
    assert networks(3, QUICK)["t2l"].train.seed == 3
