"""Figures of the report: the right numbers at the right places, only where the runs hold them, of the same people."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import made_up_runs as made
import pytest
from made_up_runs import Fake, level, write_run

from tailorlm.evaluation.figure import figures
from tailorlm.evaluation.plots import Bars, Lines, Plot, Scatter
from tailorlm.evaluation.report_figures import missing, shown
from tailorlm.evaluation.report_merge import board
from tailorlm.evaluation.report_run import read_runs

LABELS = ["lamp_2m"]


def bare(folder: Path, **fields: Any) -> Path:
    """A run's folder of results alone."""
    folder.mkdir(parents=True)
    methods = {"base": {"random": {"lamp_2m": 0.5}}, "p2p": {"random": {"lamp_2m": 0.6}}}
    (folder / "results.json").write_text(json.dumps({"methods": methods, **fields}))
    return folder


def drawn(title: str, folders: Sequence[Path]) -> list[Plot]:
    """The pictures of the figure of that title."""
    return list(next(one.plots for one in shown(board(read_runs(folders))) if one.figure.title == title))


def points(plot: Plot) -> dict[str, list[tuple[float, float]]]:
    """Each line's points."""
    assert isinstance(plot, Lines | Scatter)
    return {line.name: [(point.x, pytest.approx(point.y)) for point in line.points] for line in plot.lines}


def bars(plot: Plot) -> dict[str, dict[str, float]]:
    """Each group's bars."""
    assert isinstance(plot, Bars)
    return {heading: {bar.name: pytest.approx(bar.value) for bar in found} for heading, found in plot.groups}


def test_a_run_without_rows_has_no_figure_and_every_one_says_what_would_make_it(tmp_path: Path) -> None:
    found = shown(board(read_runs([bare(tmp_path / "a")])))
    assert len(found) == len(figures()) == 12 and not any(one.plots for one in found)
    said = missing(found)
    assert len(said) == 12
    assert all(wants and ("`tailor eval" in wants or "gradient_norms" in wants) for _, wants in said)


def test_one_run_shows_the_figures_that_need_no_sweep(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", made.standard(), extra={"gradient_norms": made.norms()})
    there = [one.figure.source for one in shown(board(read_runs([run]))) if one.plots]
    assert there == ["P2P figure 4", "P2P figure 5", "PRISP figure 3", "PRISP figure 4", "PRISP figure 9"]


TIMES = {
    "cumulative": {"p2p": [[1, 101], [20, 120]], "oppu": [[1, 11], [20, 220]], "base": [[1, 1], [20, 20]]},
    "break_even": {"p2p - oppu": 10, "p2p - base": None, "oppu - base": 0},
}


def test_cumulative_time_has_the_curves_and_where_they_cross(tmp_path: Path) -> None:
    (plot,) = drawn("Cumulative time over users", [bare(tmp_path / "a", timing=TIMES)])
    assert isinstance(plot, Lines)
    assert points(plot) == {
        "Base model": [(1, 1), (20, 20)], "P2P": [(1, 101), (20, 120)], "OPPU": [(1, 11), (20, 220)],
    }  # fmt: skip
    # 100 s once and 1 s a user against 11 s a user: level after 10 users, at 110 s.
    assert plot.mark == (10.0, pytest.approx(110.0), "10 users")
    assert plot.note == "P2P takes no longer than OPPU from 10 users on."
    assert (plot.x.title, plot.y.title) == ("users, logarithmic", "time in all, logarithmic")


def test_cumulative_time_of_other_tasks_is_another_picture(tmp_path: Path) -> None:
    runs = made.adapted(tmp_path)
    plots = drawn("Cumulative time over users", runs)
    assert [plot.title for plot in plots] == [
        f"Time over users: {name}" for name in ("LaMP-2M, movie tags", "LaMP-3, product ratings", "LaMP-4, headlines")
    ]
    assert all(len(points(plot)) == 6 for plot in plots)


def test_many_methods_are_not_all_named(tmp_path: Path) -> None:
    own = {f"mine_{number:02}": [[1, number + 1], [20, 20 * number + 20]] for number in range(12)}
    even = {f"mine_{number:02} - mine_00": number + 1 for number in range(1, 12)}
    times = {"cumulative": {**own, **TIMES["cumulative"]}, "break_even": {**even, "p2p - oppu": 10}}
    (plot,) = drawn("Cumulative time over users", [bare(tmp_path / "a", timing=times)])
    assert isinstance(plot, Lines)
    assert [line.name for line in plot.named] == ["Base model", "P2P", "OPPU", *(f"mine_{n:02}" for n in range(5))]
    assert len(plot.lines) == 15 and len(plot.table()[1]) == 15
    assert plot.note.startswith("P2P takes no longer than OPPU") and "6 more pairs" in plot.note


def by_number(fake: Fake, split: str, task: str, user: int) -> float:
    return user / 10


def test_history_length_is_the_mean_of_each_group_of_users(tmp_path: Path) -> None:
    # Items of users 0 to 7: 3, 3, 3, 3, 3, 4, 4, 5.
    run = write_run(tmp_path / "a", [Fake("base", 0.3), Fake("floor_user", 0.3)], users=8, tasks=LABELS,
                    splits=["random"], scored=by_number)  # fmt: skip
    (plot,) = drawn("Length of the history", [run])
    assert isinstance(plot, Lines) and points(plot) == {"Base model": [(0, 20), (1, 60)]}
    assert plot.x.texts == {0.0: "3", 1.0: "4–5"}  # noqa: RUF001
    first = plot.lines[0].points[0]
    assert first.low is not None and first.high is not None and 0 <= first.low < 20 < first.high <= 40


def test_history_length_needs_histories_of_different_lengths(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", [Fake("base", 0.3)], users=4)
    assert not drawn("Length of the history", [run])


def test_history_length_says_of_how_many_users_a_line_is(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", [Fake("base", 0.3), Fake("oppu", 0.5, "oppu", users=16)], users=24, tasks=LABELS)
    assert "OPPU (16 users)" in points(drawn("Length of the history", [run])[0])


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
    ("title", "setting", "values", "places"),
    [("Kinds of training users", "diversity", (10, 30), (10, 30)),
     ("Number of training users", "quantity", (0.2, 1), (20, 100))],
)  # fmt: skip
def test_training_users_by_setting(tmp_path: Path, title: str, setting: str, values: Any, places: Any) -> None:
    plots = drawn(title, made.swept_users(tmp_path, setting, values, level))
    first, second = places
    assert points(plots[0]) == {"P2P": [(first, 50), (second, 52)], "Base model": [(first, 30), (second, 30)]}


@pytest.mark.parametrize(
    ("title", "name"), [("Kinds of training users", "clusters"), ("Number of training users", "users")]
)
def test_training_users_by_folder(tmp_path: Path, title: str, name: str) -> None:
    runs = [
        write_run(tmp_path / f"{name}_{n}", [Fake("p2p", n / 100, "p2p"), Fake("base", 0.3)], scored=level)
        for n in (40, 20)
    ]
    assert points(drawn(title, runs)[0])["P2P"] == [(20, 20), (40, 40)]


COSTS = (
    Fake("base", 0.3),
    Fake("p2p", 0.6, "p2p", enrol=1.0, memory=2_000_000_000),
    Fake("oppu", 0.5, "oppu", enrol=10.0, memory=4_000_000_000),
)


def test_costs_are_of_methods_with_an_adapter(tmp_path: Path) -> None:
    seconds, memory = drawn("What personalising costs", [write_run(tmp_path / "a", COSTS, scored=level)])
    assert bars(seconds) == {"": {"P2P": 1.0, "OPPU": 10.0}}
    assert bars(memory) == {"": {"P2P": 2e9, "OPPU": 4e9}}
    assert isinstance(seconds, Bars) and seconds.axis.title == "time a user, logarithmic"
    assert seconds.table()[1] == [["P2P", "1\N{NO-BREAK SPACE}s"], ["OPPU", "10\N{NO-BREAK SPACE}s"]]


def test_cost_and_quality_are_shares_of_the_largest_and_the_composite(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", COSTS, tasks=LABELS, splits=["random"], scored=level)
    (plot,) = drawn("Cost and quality", [run])
    # Memory 2 of 4 GB and time 1 of 10 s; accuracy 0.6 and F1 0.54.
    assert points(plot) == {"P2P": [(pytest.approx(0.3), 57)], "OPPU": [(1.0, 47.5)]}
    assert plot.y.label == "PRISP's composite, of 100" if isinstance(plot, Scatter) else False


def test_costs_of_other_tasks_are_other_pictures(tmp_path: Path) -> None:
    few = [Fake("prisp", 0.4, "prisp", enrol=2.0), Fake("prime", 0.4, "prime", enrol=3.0)]
    runs = [write_run(tmp_path / "a", COSTS, tasks=["lamp_2m", "lamp_4"], scored=level),
            write_run(tmp_path / "b", few, tasks=["lamp_3"], scored=level)]  # fmt: skip
    found = [bars(plot) for plot in drawn("What personalising costs", runs) if "Time" in plot.title]
    assert found == [{"": {"P2P": 1.0, "OPPU": 10.0}}, {"": {"PriME": 3.0, "PRISP": 2.0}}]
    titles = [plot.title for plot in drawn("Cost and quality", runs)]
    assert titles == ["Cost and quality: LaMP-2M, movie tags, LaMP-4, headlines",
                      "Cost and quality: LaMP-3, product ratings"]  # fmt: skip


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


def test_descriptions_stand_stage_by_stage(tmp_path: Path) -> None:
    found = bars(drawn("Descriptions of a task, stage by stage", [made.described(tmp_path, level)])[0])
    assert [heading.split()[0] for heading in found] == ["Choose", "Find", "Identify"]
    assert list(found.values()) == [
        {"1: Text-to-LoRA": 45, "2: PRISP": 50}, {"1: Text-to-LoRA": 42, "2: PRISP": 51},
        {"1: Text-to-LoRA": 33, "2: PRISP": 52},
    ]  # fmt: skip


def test_descriptions_need_both_stages(tmp_path: Path) -> None:
    fakes = [Fake("text_to_lora", 0.4, "text_to_lora", source={"settings": {"descriptions": "a"}})]
    assert not drawn("Descriptions of a task, stage by stage", [write_run(tmp_path / "a", fakes)])


def test_gradient_norms_by_layer_and_by_step(tmp_path: Path) -> None:
    norms = {"prisp": [[1.0, 2.0], [3.0, 6.0]], "prisp_no_bridge": [[1.0, 1.0], [1.0, 1.0]], "oppu": []}
    layers, steps = drawn("Gradients by layer", [bare(tmp_path / "a", gradient_norms=norms)])
    assert points(layers) == {"PRISP": [(0, 2), (1, 4)], "prisp_no_bridge": [(0, 1), (1, 1)]}
    assert points(steps) == {"PRISP": [(0, 1.5), (1, 4.5)], "prisp_no_bridge": [(0, 1), (1, 1)]}


def test_one_step_is_no_line(tmp_path: Path) -> None:
    (plot,) = drawn("Gradients by layer", [bare(tmp_path / "a", gradient_norms={"prisp": [[1.0, 2.0]]})])
    assert plot.title == "By layer, the mean over steps"


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


def test_a_figure_of_another_distribution_needs_no_list() -> None:
    sources: Mapping[str, str] = {one.title: one.source for one in figures()}
    assert list(sources.values()) == sorted(sources.values()) and sources["Cost and quality"] == "PRISP figure 4"


def test_quality_of_tasks_without_the_papers_metrics_is_the_mean_score(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", COSTS, tasks=["lamp_2m", "lamp_4"], splits=["random"], scored=level,
                    extra={"attributes": {}})  # fmt: skip
    (plot,) = drawn("Cost and quality", [run])
    assert points(plot) == {"P2P": [(pytest.approx(0.3), 60)], "OPPU": [(1.0, 50)]}
    assert isinstance(plot, Scatter) and plot.y.label == "score, 0 to 100"


def test_a_context_with_an_adapter_is_named_for_both(tmp_path: Path) -> None:
    runs = [
        write_run(tmp_path / f"k{k}", [Fake("mine", 0.3 + k / 100, "p2p", "rag", contexts={"k": k}),
                                       Fake("nearest", 0.2 + k / 100, "none", "rag", contexts={"k": k})], scored=level)
        for k in (1, 2)
    ]  # fmt: skip
    assert [*points(drawn("Retrieved items", runs)[0])] == ["P2P + RAG", "RAG"]
