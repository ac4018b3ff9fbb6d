"""Figures of several runs: a line joins what differs in one setting alone and was asked of the same people."""

import math
from pathlib import Path
from typing import Any

import made_up_runs as made
import pytest
from made_up_runs import Fake, level, write_run
from report_pictures import bars, drawn, points

from tailorlm.evaluation.plots import Lines


def test_retrieved_items_is_a_line_a_method(tmp_path: Path) -> None:
    plots = drawn("Retrieved items", made.swept_k(tmp_path, level))
    assert [plot.title for plot in plots[:3]] == [
        "Classification (2 tasks): unseen users", "LaMP-3, product ratings: unseen users",
        "LaMP-4, headlines: unseen users",
    ]  # fmt: skip
    for plot in plots:
        assert points(plot) == {"RAG": [(1, 37), (4, 40), (16, 52)], "P2P": [(1, 55), (4, 55), (16, 55)]}
        assert isinstance(plot, Lines) and plot.intervals


def test_data_size_ends_with_all_items(tmp_path: Path) -> None:
    plots = drawn("Few items of the user", made.swept_items(tmp_path, level))
    assert points(plots[0]) == {
        "PRISP": [(1, 40), (5, 42), (10, 44), (math.inf, 46)], "OPPU": [(1, 38), (5, 39), (10, 40), (math.inf, 41)],
    }  # fmt: skip
    assert isinstance(plots[0], Lines) and list(plots[0].x.texts.values()) == ["1", "5", "10", "all"]


def test_data_size_reads_the_number_from_the_users_file(tmp_path: Path) -> None:
    runs = [
        write_run(tmp_path / f"run{items}", [Fake("prisp", 0.4 + items / 100, "prisp",
                  source={"settings": {"items": {"items": items}}})],
                  {"train": "sharers.jsonl", "dev": f"target_{items}.jsonl"}, scored=level)
        for items in (1, 30, 5)
    ]  # fmt: skip
    assert points(drawn("Few items of the user", runs)[0]) == {"PRISP": [(1, 41), (5, 45), (30, 70)]}


def test_task_data_from_none_to_all(tmp_path: Path) -> None:
    plots = drawn("Task data", made.swept_task_data(tmp_path, level))
    assert points(plots[0]) == {
        "PRISP": [(0, 45), (50, 47), (math.inf, 49)], "OPPU": [(0, 35), (50, 42), (math.inf, 49)],
    }  # fmt: skip


def test_task_data_reads_the_number_from_the_training_file(tmp_path: Path) -> None:
    runs = [
        write_run(tmp_path / name, [Fake("mt_lora", value, "mt_lora")], {"train": file, "dev": "target.jsonl"},
                  scored=level)
        for name, file, value in (("few", "task_50.jsonl", 0.3), ("full", "all_rows.jsonl", 0.5))
    ]  # fmt: skip
    assert points(drawn("Task data", runs)[0]) == {"MT-LoRA": [(50, 30), (math.inf, 50)]}


@pytest.mark.parametrize(
    ("title", "name"), [("Kinds of training users", "clusters"), ("Number of training users", "users")]
)
def test_training_users_are_those_of_the_split(tmp_path: Path, title: str, name: str) -> None:
    runs = made.swept_users(tmp_path, name, (40, 20), level)
    assert points(drawn(title, runs)[0]) == {"P2P": [(20, 52), (40, 50)], "Base model": [(20, 30), (40, 30)]}


def test_adaptability_is_a_share_of_the_score_with_the_tasks_own_users(tmp_path: Path) -> None:
    (plot,) = drawn("Adapting to another task", made.adapted(tmp_path, level))
    found = bars(plot)
    assert len(found) == 6
    # Accuracy and F1 grow with the level; ratings: 1 - (2 + 2.5) (1 - level) / 2.
    assert found["LaMP-3 → LaMP-2M"] == {"PriME": 100 * 0.62 / 0.75, "Per-Pcs": 100 * 0.6 / 0.72}
    assert found["LaMP-2M → LaMP-3"] == {"PriME": 100 * 0.145 / 0.4375, "Per-Pcs": 100 * 0.1 / 0.37}


def test_adaptability_needs_a_run_with_the_tasks_own_users(tmp_path: Path) -> None:
    runs = [path for path in made.adapted(tmp_path) if path.name != "lamp_3-lamp_3"]
    (plot,) = drawn("Adapting to another task", runs)
    assert not any(heading.endswith("LaMP-3") for heading in bars(plot))


def lent(folder: Path, task: str, share: float) -> Path:
    """Per-Pcs asked LaMP-2M with sharers, and a task LoRA under them, of a task; beside it a LoRA for all."""
    own = task == "LaMP_2M"
    start = {"adapter": "mt_lora", "settings": {}, **({} if own else {"train": f"../{task}/task_50.jsonl"})}
    source = {"start": start, "train": "sharers.jsonl" if own else f"../{task}/sharers.jsonl"}
    fakes = [Fake("per_pcs", share, "per_pcs", source=source, enrol=9.0), Fake("np", 0.5, "mt_lora")]
    data = {"root": "runs/LaMP_2M", "train": "task_50.jsonl", "dev": "target_10.jsonl"}
    return write_run(folder / task, fakes, data, tasks=["lamp_2m"], splits=["dev"], scored=level)


def test_adaptability_of_sources_with_training_users_of_their_own(tmp_path: Path) -> None:
    runs = [lent(tmp_path, "LaMP_2M", 0.72), lent(tmp_path, "LaMP_3", 0.6)]
    (plot,) = drawn("Adapting to another task", runs)
    assert bars(plot) == {"LaMP-3 → LaMP-2M": {"Per-Pcs": 100 * 0.6 / 0.72}}


def test_rows_are_named_alike_in_figures_and_tables(tmp_path: Path) -> None:
    fakes = [
        Fake(name, score, adapter, "profile_only", source={"settings": {"task": {"data": data}}})
        for name, adapter, score, data in (("prisp+pag", "prisp", 0.5, 0), ("prisp_50+pag", "prisp", 0.6, "all"))
    ]
    run = write_run(tmp_path / "a", fakes, tasks=["lamp_2m"], splits=["random"], scored=level)
    assert [*points(drawn("Task data", [run])[0])] == ["PRISP + PAG"]
    items = [
        write_run(tmp_path / f"items{count}", [
            Fake("prisp+pag", 0.5, "prisp", "profile_only", source={"settings": {"items": {"items": count}}}),
        ], tasks=["lamp_2m"], splits=["random"], scored=level)
        for count in (1, 5)
    ]  # fmt: skip
    assert [*points(drawn("Few items of the user", items)[0])] == ["PRISP + PAG"]


def test_all_task_data_are_no_more_than_the_file_has(tmp_path: Path) -> None:
    """PRISP table 9: all rows of task_50.jsonl beside none."""
    fakes = [
        Fake(name, score, "prisp", source={"settings": {"task": {"data": data}}})
        for name, score, data in (("prisp", 0.5, 0), ("prisp_50", 0.6, "all"), ("prisp_more", 0.6, 5000))
    ]
    (plot,) = drawn("Task data", [write_run(tmp_path / "a", fakes, {"train": "x/task_50.jsonl", "dev": "target.jsonl"},
                                            tasks=["lamp_2m"], splits=["random"], scored=level)])  # fmt: skip
    assert isinstance(plot, Lines)
    assert points(plot) == {"PRISP": [(0, 50), (50, 60)]} and list(plot.x.texts.values()) == ["0", "50"]


def test_task_data_is_what_each_source_saw_of_it(tmp_path: Path) -> None:
    def run(name: str, train: str, task: str, data: Any, raised: float) -> Path:
        sharers = {"start": {"adapter": "mt_lora", "settings": {}, **({"train": task} if task else {})},
                   "train": "sharers.jsonl"}  # fmt: skip
        fakes = [
            Fake("np", 0.3 + raised, "mt_lora"),
            Fake("per_pcs", 0.4 + raised, "per_pcs", source=sharers),
            Fake("anchor", 0.45, "text_to_lora", source={"train": "../text_to_lora.jsonl"}),
            Fake("prisp", 0.5 + raised, "prisp", source={"settings": {"task": {"data": data}, "n": name}}),
        ]
        return write_run(tmp_path / name, fakes, {"train": train, "dev": f"{name}.jsonl"}, scored=level)

    plot = drawn(
        "Task data",
        [run("few", "task_50.jsonl", "", 0, 0.0), run("full", "all_rows.jsonl", "task_all.jsonl", "all", 0.1)],
    )[0]
    found = {name: [place for place, _ in line] for name, line in points(plot).items()}
    assert len(found) == 3 and len(set(map(tuple, found.values()))) == 2  # PRISP's begins at none, others' at 50
    values = sorted([round(float(value.expected)) for _, value in line] for line in points(plot).values())
    assert values == [[30, 40], [40, 50], [50, 60]]


def test_descriptions_stand_stage_by_stage(tmp_path: Path) -> None:
    found = bars(drawn("Descriptions of a task, stage by stage", [made.described(tmp_path, level)])[0])
    assert [heading.split()[0] for heading in found] == ["Choose", "Find", "Identify"]
    assert list(found.values()) == [
        {"1: Text-to-LoRA": 45, "2: PRISP": 50}, {"1: Text-to-LoRA": 42, "2: PRISP": 51},
        {"1: Text-to-LoRA": 33, "2: PRISP": 52},
    ]  # fmt: skip


def test_descriptions_need_both_stages(tmp_path: Path) -> None:
    first = [Fake(f"t{text}", 0.4, "text_to_lora", source={"settings": {"descriptions": text}}) for text in "ab"]
    assert not drawn("Descriptions of a task, stage by stage", [write_run(tmp_path / "a", first)])
    one = [first[0], Fake("prisp", 0.5, "prisp", source={"start": first[0].about({})["source"]})]
    assert not drawn("Descriptions of a task, stage by stage", [write_run(tmp_path / "b", one)])


def swept(folder: Path, k: int, *, users: int = 40, **about: Any) -> Path:
    settings = {"k": k, "seed": k, **about.pop("settings", {})}
    fake = Fake("p2p", 0.5 + k / 100, "p2p", source={"settings": settings, **about})
    return write_run(folder / f"{k}-{users}-{len(about)}-{len(settings)}", [fake], users=users, scored=level)


def test_a_line_joins_runs_that_asked_the_same_people_only(tmp_path: Path) -> None:
    runs = [swept(tmp_path, 1), swept(tmp_path, 4, users=30), swept(tmp_path, 16)]
    assert points(drawn("Retrieved items", runs)[0]) == {"P2P": [(1, 51), (16, 66)]}


def test_a_line_joins_methods_that_differ_in_what_is_swept_only(tmp_path: Path) -> None:
    runs = [swept(tmp_path, 1), swept(tmp_path, 4, settings={"rank": 8})]
    assert not drawn("Retrieved items", runs)  # another rank is another method; other seeds are not


def test_lines_of_one_name_say_what_sets_them_apart(tmp_path: Path) -> None:
    runs = [
        write_run(tmp_path / f"{rank}-{k}", [Fake("p2p", 0.5 + rank / 100, "p2p",
                  source={"settings": {"k": k, "lora": {"rank": rank}}})], scored=level)
        for rank in (8, 16) for k in (1, 4)
    ]  # fmt: skip
    assert points(drawn("Retrieved items", runs)[0]) == {
        "P2P, rank 8": [(1, 58), (4, 58)], "P2P, rank 16": [(1, 66), (4, 66)],
    }  # fmt: skip


def test_a_context_with_an_adapter_is_named_for_both(tmp_path: Path) -> None:
    runs = [
        write_run(tmp_path / f"k{k}", [Fake("mine", 0.3 + k / 100, "p2p", "rag", contexts={"k": k}),
                                       Fake("nearest", 0.2 + k / 100, "none", "rag", contexts={"k": k})], scored=level)
        for k in (1, 2)
    ]  # fmt: skip
    assert [*points(drawn("Retrieved items", runs)[0])] == ["P2P + RAG", "RAG"]
