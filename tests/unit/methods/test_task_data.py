"""Task data: which rows a LoRA for all sees, in which versions, how often; nothing of a history where queries count."""

import json
from dataclasses import replace

import pytest

from tailorlm.data.records import Interaction, User
from tailorlm.methods import mt_lora, prisp
from tailorlm.methods.batches import BatchSettings, all_items
from tailorlm.methods.further import TaskSettings, trained_further
from tailorlm.methods.lora import LoraSettings
from tailorlm.methods.own_items import ItemSettings
from tailorlm.methods.task_data import task_data
from tailorlm.training.many import ManySettings
from tailorlm.training.settings import TrainSettings

BOTH = ItemSettings(asked=True, context="rag_pag", options={"k": 1})
LORA = LoraSettings(targets=("q_proj",), rank=2)


def member(name, asked=1, items=3):
    history = [Interaction(f"of {name} {n}", f"head {name} {n}", n, "headline") for n in range(items)]
    queries = [Interaction(f"new {name} {n}", f"asked {name} {n}", 9 + n, "headline", asked=True) for n in range(asked)]
    return User(name, (*history, *queries))


def text(bench, row):
    return bench.backbone.tokenizer.decode(row.ids)


@pytest.fixture
def roomy(bench):
    return replace(bench, max_tokens=400)


def test_plain_rows_of_all_items_are_the_default(bench, people):
    rows, plain = task_data(bench, people, ItemSettings(), 0), all_items(bench, people)
    assert [row.ids for row in rows.rows] == [row.ids for row in plain.rows] and rows.cut == plain.cut


def test_queries_come_in_both_versions_and_histories_only_beside_them(roomy):
    users = [member("ada", 2), User("silent", ()), member("bob", 0), member("eve")]
    rows = task_data(roomy, users, BOTH, 0)
    assert [row.id for row in rows.rows] == ["ada@3", "ada@4", "eve@3", "ada@3+", "ada@4+", "eve@3+"]
    assert [rows.cuts[cut].user_id for cut in rows.cut] == ["ada", "ada", "eve"] * 2
    said = [text(roomy, row) for row in rows.rows]
    assert all("head " not in one for one in said[:3]) and "asked ada 0" in said[0]
    for one, name in zip(said[3:], ("ada", "ada", "eve"), strict=True):
        others = {"ada", "bob", "eve"} - {name}
        assert f"head {name} " in one or f"asked {name} 0" in one  # the nearest of the same user's earlier items
        assert not any(f" {other} " in one for other in others)
    assert said[3].count("asked ada 0") == 1 and "asked ada 1" not in said[3]  # never the answer, nor what is later


def test_a_query_of_lamp_1_is_shown_beside_all_earlier_papers(roomy):
    from tailorlm.tasks import lamp_1

    said = f'{lamp_1.OPENING}a title{lamp_1.CLOSING}{lamp_1.ANSWERS}[1]: "apples" [2]: "pears"'
    papers = [Interaction("abstract", title, n, "lamp_1") for n, title in enumerate(["x", "y", "z", "on apples"])]
    user = User("ada", (*papers, Interaction(said, "[1]", 9, "lamp_1", asked=True)))
    pooled = replace(roomy, pools={"lamp_1": (Interaction("b", "another", 0, "lamp_1"),)})
    context = task_data(pooled, [user], replace(BOTH, context="rag"), 0).rows[1]
    assert "on apples" in text(pooled, context)


def source(bench, **given):
    train = TrainSettings(steps=999, learning_rate=1e-2, line_seconds=1e9, save_every=2)
    return mt_lora.Source(
        bench, mt_lora.Settings(lora=LORA, batch=BatchSettings(users=2, rows=2), train=train, **given)
    )


def seen(folder):
    return len((folder / "curve.jsonl").read_text().splitlines())


def test_epochs_are_passes_over_all_rows(bench, tmp_path):
    users = [member("ada", 2), member("eve")]  # 9 items, 3 of them queries
    source(bench, epochs=2).prepare(users, tmp_path / "all")
    assert seen(tmp_path / "all") == 2 * 3  # 9 rows in batches of 4
    made = source(bench, epochs=2, items=ItemSettings(asked=True))
    made.prepare(users, tmp_path / "asked")
    assert seen(tmp_path / "asked") == 2 * 1
    made.prepare(users, tmp_path / "asked", resume=True)  # finished: nothing more
    assert seen(tmp_path / "asked") == 2
    slow = source(bench, epochs=2)
    slow.settings = replace(slow.settings, train=replace(slow.settings.train, accumulate=4))
    slow.prepare(users, tmp_path / "slow")
    assert seen(tmp_path / "slow") == 2  # 6 batches, 4 a step


def test_held_users_rows_are_written_alike(bench, tmp_path):
    users = [member("ada", 2), member("eve")]
    made = source(bench, epochs=1, items=ItemSettings(asked=True))
    made.prepare(users[:1], tmp_path / "run", held=users[1:])
    line = json.loads((tmp_path / "run" / "evaluations.jsonl").read_text().splitlines()[-1])
    assert line["held_loss"] > 0 and len(made.rows(users[1:]).rows) == 1


def test_what_cannot_be_is_said(bench, tmp_path):
    with pytest.raises(ValueError, match="no item of 1 users makes a row to train on, and items.asked wants answered"):
        source(bench, items=BOTH).prepare([member("bob", 0)], tmp_path / "run")
    with pytest.raises(ValueError, match="epochs is -1; valid is at least 0"):
        source(bench, epochs=-1)
    with pytest.raises(ValueError, match='items.scope is "task", and task data train one adapter for all'):
        task_data(bench, [member("ada")], ItemSettings(scope="task"), 0)


def test_an_anchor_is_trained_further_on_queries_each_in_both_versions(roomy, tmp_path, monkeypatch):
    from tailorlm.methods import further

    plans, plan_epochs = [], further.plan_epochs

    def planned(*given, **named):
        plans.append(plan_epochs(*given, **named))
        return plans[-1]

    monkeypatch.setattr(further, "plan_epochs", planned)
    begin = prisp.Source(roomy, prisp.Settings(lora=LORA, begin="fresh"))
    task = TaskSettings(data=2, epochs=1, batch=6, items=BOTH, train=ManySettings(learning_rate=1e-2))
    users = [member("ada", 2), member("eve")]
    trained_further(roomy, begin.start.one(), users, task, LORA.scaling, 0, tmp_path / "run", False)
    (rows,) = plans[0].steps[0]
    # Of the rows 0, 1, 2 and the same three in context (3, 4, 5), two are drawn by lot, each with its other version.
    plain = sorted(number for number in rows if number < 3)
    assert len(plain) == 2 and sorted(rows) == [*plain, *(number + 3 for number in plain)]
