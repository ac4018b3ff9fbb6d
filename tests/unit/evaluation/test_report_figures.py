"""Figures of one run: the right numbers at the right places, only where the runs hold them."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import made_up_runs as made
import pyarrow.parquet as pq
import pytest
from made_up_runs import Fake, level, write_run
from report_pictures import LABELS, bare, bars, drawn, points

from tailorlm.evaluation.figure import figures, panels
from tailorlm.evaluation.plots import Bars, Lines, Scatter
from tailorlm.evaluation.report_averages import columns
from tailorlm.evaluation.report_figures import missing, shown
from tailorlm.evaluation.report_merge import board
from tailorlm.evaluation.report_run import read_runs
from tailorlm.evaluation.rows import read_part, write_part
from tailorlm.evaluation.runner_costs import Costs


def test_a_run_without_rows_has_no_figure_and_every_one_says_what_would_make_it(tmp_path: Path) -> None:
    found = shown(board(read_runs([bare(tmp_path / "a")])))
    assert len(found) == len(figures()) == 13 and not any(one.plots for one in found)
    said = missing(found)
    assert len(said) == 13
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


def test_a_crossing_before_the_second_user_is_told_and_not_pointed_out(tmp_path: Path) -> None:
    (plot,) = drawn("Cumulative time over users",
                    [bare(tmp_path / "a", timing={**TIMES, "break_even": {"p2p - oppu": 1}})])  # fmt: skip
    assert isinstance(plot, Lines)
    assert plot.mark is None and plot.note == "P2P takes no longer than OPPU from 1 user on."


def test_times_that_runs_do_not_agree_on_are_lines_of_their_own(tmp_path: Path) -> None:
    slow = {
        "cumulative": {**TIMES["cumulative"], "oppu": [[1, 21], [20, 420]]},
        "break_even": {"p2p - oppu": 5},
    }
    (plot,) = drawn(
        "Cumulative time over users", [bare(tmp_path / "a", timing=TIMES), bare(tmp_path / "b", timing=slow)]
    )
    assert [*points(plot)] == ["Base model", "P2P", "OPPU (a)", "OPPU (b)"]
    assert plot.note == "P2P takes no longer than OPPU (b) from 5 users on, OPPU (a) from 10 users on."


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


def test_costs_count_adapters_a_query_and_sharers_and_leave_out_what_all_share(tmp_path: Path) -> None:
    fakes = [
        Fake("np+rag", 0.3, "mt_lora", "rag", enrol=0.5),
        Fake("p2p", 0.6, "p2p", enrol=0.001, making=0.25, kept=False),
        Fake("per_pcs", 0.4, "per_pcs", enrol=0.4, once=100.0, source={"settings": {"sharers": {"count": 2}}}),
        Fake("per_pcs+rag", 0.4, "per_pcs", "rag", 100.0, 0.4, source={"settings": {"sharers": {"count": 2}}}),
        Fake("prisp", 0.5, "prisp", enrol=1.0, once=100.0),
    ]  # fmt: skip
    old = write_run(tmp_path / "old", fakes, tasks=LABELS, splits=["random"], users=10, scored=level)
    seconds, _ = drawn("What personalising costs", [old])
    assert bars(seconds) == {"": {"P2P": 0.251, "Per-Pcs": 10.4, "Per-Pcs + RAG": 10.4, "PRISP": 1.0}}
    assert seconds.note.replace("\N{NO-BREAK SPACE}", " ") == (
        "With a user's share of training sharers once: Per-Pcs and 1 more that share its sharers (100 s over 10 users)."
    )
    said = json.loads((old / "results.json").read_text())
    said["timing"]["sharers"] = {"per_pcs": 60.0, "prisp": None}  # without the task LoRA under them
    (old / "results.json").write_text(json.dumps(said))
    assert bars(drawn("What personalising costs", [old])[0])[""]["Per-Pcs"] == 6.4
    (plot,) = drawn("Cost and quality", [old])
    assert (
        isinstance(plot, Scatter)
        and "Per-Pcs" in plot.note
        and [*points(plot)] == ["P2P", "Per-Pcs", "Per-Pcs + RAG", "PRISP"]
    )


def test_costs_of_several_seeds_are_the_mean_as_in_the_table_of_costs(tmp_path: Path) -> None:
    fakes = [
        Fake("oppu", 0.5, "oppu", enrol=1.0),
        Fake("per_pcs", 0.4, "per_pcs", enrol=1.0, once=100.0, source={"settings": {"sharers": {"count": 2}}}),
    ]
    run = write_run(tmp_path / "a", fakes, tasks=LABELS, splits=["random"], users=10, scored=level)
    first = [read_part(part) for part in sorted((run / "rows").rglob("*.parquet"))]
    for fake in fakes:
        for part in (run / "rows" / "random" / "seed-0" / fake.name).rglob("*.parquet"):
            later = [replace(row, seed=1, enrol_seconds=3.0) for row in read_part(part)]
            write_part(Path(str(part).replace("seed-0", "seed-1")), later, {"method": fake.about({})})
    seconds, _ = drawn("What personalising costs", [run])
    # The sharers' 100 s are borne by ten users, whom two seeds enrol.
    assert bars(seconds) == {"": {"OPPU": 2.0, "Per-Pcs": 12.0}}
    costs = Costs()
    for row in (row for rows in first for row in rows if row.method == "oppu"):
        costs.add(row)
        costs.add(replace(row, seed=1, enrol_seconds=3.0))
    assert costs.enrol_seconds == 2.0


def test_rows_that_do_not_say_how_long_an_adapter_took_are_read(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", COSTS, tasks=LABELS, splits=["random"], scored=level)
    for part in (run / "rows").rglob("*.parquet"):
        table = pq.read_table(part)
        pq.write_table(table.drop_columns(["adapter_seconds"]), part)
        assert [row.adapter_seconds for row in read_part(part)] == [None] * len(table)
    assert bars(drawn("What personalising costs", [run])[0]) == {"": {"P2P": 1.0, "OPPU": 10.0}}


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


def test_gradient_norms_by_layer_and_by_step(tmp_path: Path) -> None:
    norms = {"prisp": [[1.0, 2.0], [3.0, 6.0]], "prisp_no_bridge": [[1.0, 1.0], [1.0, 1.0]], "oppu": []}
    layers, steps = drawn("Gradients by layer", [bare(tmp_path / "a", gradient_norms=norms)])
    assert points(layers) == {"PRISP": [(0, 2), (1, 4)], "PRISP: no bridge": [(0, 1), (1, 1)]}
    assert points(steps) == {"PRISP": [(1, 1.5), (2, 4.5)], "PRISP: no bridge": [(1, 1), (2, 1)]}


def test_one_step_is_no_line(tmp_path: Path) -> None:
    (plot,) = drawn("Gradients by layer", [bare(tmp_path / "a", gradient_norms={"prisp": [[1.0, 2.0]]})])
    assert plot.title == "By layer, the mean over steps"


def test_a_figure_of_another_distribution_needs_no_list() -> None:
    sources: Mapping[str, str] = {one.title: one.source for one in figures()}
    assert list(sources.values()) == sorted(sources.values()) and sources["Cost and quality"] == "PRISP figure 4"


def test_quality_of_tasks_without_the_papers_metrics_is_the_mean_score(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", COSTS, tasks=["lamp_2m", "lamp_4"], splits=["random"], scored=level,
                    extra={"attributes": {}})  # fmt: skip
    (plot,) = drawn("Cost and quality", [run])
    assert points(plot) == {"P2P": [(pytest.approx(0.3), 60)], "OPPU": [(1.0, 50)]}
    assert isinstance(plot, Scatter) and plot.y.label == "score, 0 to 100"


def test_tasks_that_are_only_judged_are_in_no_average_of_a_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P2P tables 1 and 2 average six written tasks; Personal Reddit and the empathic one are in table 3 alone."""
    written = ("lamp_4", "lamp_5", "personal_reddit", "empathic")
    monkeypatch.setattr(made, "KIND", {**made.KIND, **dict.fromkeys(written, "text")})
    run = write_run(tmp_path / "a", [Fake("base", 0.3), Fake("p2p", 0.6, "p2p")], tasks=["lamp_2m", *written],
                    splits=["random"], scored=level)  # fmt: skip
    results = read_runs([run])[0].results
    titles = [one.title for one in columns(results, "random")]
    assert "Generation (2 tasks): ROUGE-1" in titles and not any("4 tasks" in title for title in titles)
    assert panels(results, "random") == {
        "Classification": ["lamp_2m"], "Generation": ["lamp_4", "lamp_5"],
        "Personal Reddit": ["personal_reddit"], "Empathetic Conversations": ["empathic"],
    }  # fmt: skip
