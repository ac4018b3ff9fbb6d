"""The study of small tasks end to end at a size of seconds; nothing of a held-out task reaches training."""

import json

import pytest

from tailorlm.demo import task_study
from tailorlm.demo.small_tasks import small_tasks
from tailorlm.demo.task_study_settings import Plan
from tailorlm.methods import mt_lora, text_to_lora

TINY = Plan(
    examples=4, queries=1, every=4, mt_steps=1, target_epochs=1, trunk_steps=1, additive_steps=1,
    reconstruction_steps=1,
)  # fmt: skip


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    trained_on = []
    real_shared, real_network = mt_lora.Source.prepare, text_to_lora.Source.prepare_tasks

    def shared(self, users, *rest, **named):
        trained_on.append({user.id for user in users})
        return real_shared(self, users, *rest, **named)

    def network(self, tasks, *rest, **named):
        trained_on.append({task.name for task in tasks})
        return real_network(self, tasks, *rest, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mt_lora.Source, "prepare", shared)
        patch.setattr(text_to_lora.Source, "prepare_tasks", network)
        out = tmp_path_factory.mktemp("study") / "run"
        return out, task_study.main(out, seed=0, plan=TINY), trained_on


def test_results_have_every_method_and_condition(study):
    out, result, _ = study
    assert json.loads((out / "results.json").read_text())["seed"] == 0
    assert set(result["exact"]) == {
        "base", "base_description", "mt_lora", "lora_per_task", "t2l", "t2l_additive", "t2l_z_score", "t2l_delta_w",
    }  # fmt: skip
    assert {"seen", "composed", "new", "partial", "vague", "nearest", "wrong"} <= set(result["exact"]["t2l"])
    assert all(0 <= share <= 1 for by in result["exact"].values() for share in by.values())
    assert (out / "replies.jsonl").stat().st_size > 0
    assert oct(out.stat().st_mode & 0o777) == "0o700"


def test_nothing_of_a_held_out_task_reaches_training(study):
    split = {task.name: task.split for task in small_tasks(0, 1, 1)}
    trained_on = study[2]
    assert len(trained_on) == 5
    assert {split[name] for names in trained_on for name in names} == {"seen"}


def test_the_command_line_reads_its_arguments(monkeypatch, tmp_path):
    called = []
    monkeypatch.setattr(task_study, "main", lambda *given: called.append(given))
    monkeypatch.setattr("sys.argv", ["task_study", str(tmp_path / "x"), "--seed", "4", "--quick"])
    task_study.command()
    assert called == [(tmp_path / "x", 4, task_study.chosen.QUICK)]
