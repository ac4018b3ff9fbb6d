"""The figure of anchors: what each gives by itself and after training, of the same examples; names of variants."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_up_runs import Fake, level, write_run
from report_pictures import LABELS, bars, drawn

from tailorlm.evaluation.names import in_order, method_name, method_note
from tailorlm.evaluation.plots import Bars

TITLE = "Anchors"
TASK = {"adapter": "mt_lora", "settings": {"lora": {"rank": 8}}}
SHARER = {"adapter": "one_sharer", "settings": {"nearest": 3}, "start": TASK, "train": "sharers.jsonl"}
MADE = {"adapter": "text_to_lora", "settings": {"tasks": "users"}, "train": "descriptions.jsonl"}
ALONE = (
    Fake("sharer", 0.2, "one_sharer", source=SHARER),
    Fake("mt_lora", 0.3, "mt_lora", source=TASK),
    Fake("anchor", 0.1, "text_to_lora", source=MADE),
)


def prisp(name: str, value: float, start: Mapping[str, Any], rank: int = 8, **more: Any) -> Fake:
    source = {"start": start, "settings": {"lora": {"rank": rank}, **more.pop("settings", {})}}
    return Fake(name, value, "prisp", source=source, **more)


TUNED = (
    prisp("prisp_sharer", 0.5, SHARER, rank=16),
    prisp("prisp_task_lora", 0.6, TASK),
    prisp("prisp", 0.4, MADE),
)


def run(folder: Path, *fakes: Fake, **kept: Any) -> Path:
    return write_run(folder, fakes, **{"tasks": LABELS, "splits": ["dev"], "scored": level, **kept})


def test_each_anchor_has_what_it_gives_and_what_is_trained_from_it(tmp_path: Path) -> None:
    (plot,) = drawn(TITLE, [run(tmp_path / "a", *ALONE, *TUNED)])
    assert bars(plot) == {
        "MT-LoRA": {"by itself": 30, "PRISP": 60},
        "Task-aware anchor": {"by itself": 10, "PRISP": 40},
        "One sharer's LoRA": {"by itself": 20, "PRISP": 50},
    }
    assert [*bars(plot)] == ["MT-LoRA", "Task-aware anchor", "One sharer's LoRA"]
    assert isinstance(plot, Bars) and not plot.note and plot.title == "LaMP-2M, movie tags: users not trained on"


def test_a_row_of_another_source_context_or_control_is_no_anchor(tmp_path: Path) -> None:
    others = (
        Fake("task", 0.9, "mt_lora", source={**TASK, "settings": {"lora": {"rank": 4}}}),
        replace(ALONE[1], name="mt_lora+rag", level=0.9, context="rag"),
        Fake("prisp+rag", 0.9, "prisp", context="rag", source={"start": TASK}),
        Fake("oppu", 0.9, "oppu", source={"start": TASK}),
    )
    (plot,) = drawn(TITLE, [run(tmp_path / "a", *others, *TUNED)])
    assert bars(plot) == {"MT-LoRA": {"PRISP": 60}, "Text-to-LoRA": {"PRISP": 40}, "One sharer's LoRA": {"PRISP": 50}}


@pytest.mark.parametrize("fakes", [TUNED[:1], ALONE, (TUNED[2], prisp("p", 0.2, {**MADE, "train": "other.jsonl"}))])
def test_one_kind_of_anchor_is_no_figure(tmp_path: Path, fakes: tuple[Fake, ...]) -> None:
    assert not drawn(TITLE, [run(tmp_path / "a", *ALONE, *fakes)])


def test_bars_are_of_the_users_whom_all_answered(tmp_path: Path) -> None:
    def own(fake: Fake, split: str, task: str, user: int) -> float:
        return fake.level if user < 10 else 1.0

    few = [replace(fake, users=10) for fake in TUNED]
    (plot,) = drawn(TITLE, [run(tmp_path / "a", *ALONE, *few, scored=own)])
    assert bars(plot)["MT-LoRA"] == {"by itself": 30, "PRISP": 60}
    assert isinstance(plot, Bars) and plot.note == "Of the 10 users whom all of these answered."


def test_variants_of_the_tuner_are_told_apart_and_so_are_anchors_of_one_name(tmp_path: Path) -> None:
    wider = {"adapter": "mt_lora", "settings": {"lora": {"rank": 16}}}
    more = [
        prisp("no_bridge", 0.15, MADE, settings={"train_parts": "B"}),
        prisp("no_bridge_task", 0.25, TASK, settings={"train_parts": "B"}),
        prisp("prisp_wider", 0.7, wider, rank=16),
    ]
    (plot,) = drawn(TITLE, [run(tmp_path / "a", *TUNED, *more)])
    found = bars(plot)
    assert {"MT-LoRA, rank 8", "MT-LoRA, rank 16", "Text-to-LoRA"} <= set(found)
    assert len(found["MT-LoRA, rank 8"]) == len(found["Text-to-LoRA"]) == 2 and len(found["MT-LoRA, rank 16"]) == 1


def test_runs_of_other_people_are_other_pictures(tmp_path: Path) -> None:
    runs = [run(tmp_path / task, *ALONE, *TUNED, tasks=[task]) for task in ("lamp_2m", "lamp_4")]
    plots = drawn(TITLE, runs)
    assert [plot.title.partition(":")[0] for plot in plots] == ["LaMP-2M, movie tags", "LaMP-4, headlines"]
    assert all(bars(plot)["MT-LoRA"] == {"by itself": 30, "PRISP": 60} for plot in plots)


@pytest.mark.parametrize(
    ("name", "told"),
    [("np", "Not personalised"), ("task", "Task LoRA"), ("anchor", "Task-aware anchor"),
     ("no_bridge", "PRISP: no bridge"), ("prisp_50+rag", "PRISP + RAG: 50"), ("prisp_task_lora", "PRISP: task LoRA"),
     ("oppu_no_task_data+rag_pag", "OPPU + RAG + PAG: no task data"),
     ("rag_pag_no_task_data", "RAG + PAG: no task data"), ("p2p_shuffled", "P2P, wrong profile"),
     ("prisp_mt_lora", "PRISP: MT-LoRA"),
     ("prisp_x @ run", "PRISP: x (run)"), ("mine_01", "mine_01"), ("prisp+mine", "prisp+mine"), ("prisp_", "PRISP")],
)  # fmt: skip
def test_what_rows_are_called(name: str, told: str) -> None:
    assert method_name(name) == told


def test_variants_stand_after_their_method() -> None:
    names = ["zz", "p2p_k16", "oppu", "prisp_x", "p2p_k4", "p2p_shuffled", "prisp", "p2p", "task", "np"]
    assert in_order(names) == [
        "np",
        "task",
        "p2p",
        "p2p_k4",
        "p2p_k16",
        "p2p_shuffled",
        "prisp",
        "prisp_x",
        "oppu",
        "zz",
    ]
    assert method_note("np") and not method_note("prisp_x")
