"""Several runs on one page: what is one row, what is refused, and what is said of what does not compare."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from made_up_runs import Fake, by_lot, level, row
from report_reading import one, page, read, rows_of

from tailorlm.evaluation import wording
from tailorlm.evaluation.report_apart import remarks
from tailorlm.evaluation.report_difference import runs_table
from tailorlm.evaluation.report_merge import board
from tailorlm.evaluation.report_run import read_runs
from tailorlm.evaluation.rows import write_part
from tailorlm.evaluation.tables_costs import cost_tables


def test_a_method_that_is_the_same_in_all_runs_is_one_row(tmp_path: Path) -> None:
    runs = [one(tmp_path / "a", Fake("base", 0.3), Fake("p2p", 0.5, "p2p")),
            one(tmp_path / "b", Fake("base", 0.3), Fake("p2p", 0.6, "p2p"))]  # fmt: skip
    (table,) = read(runs).scores
    assert {name: cells[0].text for name, cells in rows_of(table).items()} == {
        "Base model": "30.0", "P2P (a)": "50.0", "P2P (b)": "60.0",
    }  # fmt: skip
    assert [cells[0].rank for cells in rows_of(table).values()] == ["", "2nd", "best"]
    assert board(read_runs(runs)).named == {
        ("a", "base"): "base", ("b", "base"): "base", ("a", "p2p"): "p2p @ a", ("b", "p2p"): "p2p @ b",
    }  # fmt: skip


def test_tasks_of_several_runs_are_put_together_into_one_row(tmp_path: Path) -> None:
    runs = [one(tmp_path / "a", Fake("p2p", 0.5, "p2p"), tasks=["lamp_2m"]),
            one(tmp_path / "b", Fake("p2p", 0.7, "p2p"), tasks=["lamp_4"])]  # fmt: skip
    (table,) = read(runs).scores
    assert table.heads == ("Method", "Average", "LaMP-2M, movie tags", "LaMP-4, headlines")
    assert [cell.text for cell in rows_of(table)["P2P"]] == ["60.0", "50.0", "70.0"]
    assert rows_of(table)["P2P"][0].below == ""  # no run has drawn users for both


def test_what_a_run_took_and_whom_it_harmed_is_said_of_that_run(tmp_path: Path) -> None:
    base = Fake("base", 0.3)
    runs = [one(tmp_path / "a", base, Fake("prisp", 0.5, "prisp", enrol=1.0, once=7.0), tasks=["lamp_2m"],
                extra={"harmed": {"prisp": {"random": 0.02}}, "drift": {"prisp": 0.1}}),
            one(tmp_path / "b", base, Fake("prisp", 0.7, "prisp", enrol=300.0, once=7.0), tasks=["lamp_4"],
                extra={"harmed": {"prisp": {"random": 0.6}}, "drift": {"prisp": 0.2}})]  # fmt: skip
    found = read(runs)
    assert found.harm is not None and found.harm.heads[1:] == ("Unseen users: worse off", "Drift (nats per token)",
                                                               "Invalid answers")  # fmt: skip
    rows = {name: [cell.text for cell in cells[:2]] for name, cells in rows_of(found.harm).items()}
    assert rows == {
        "Base model": ["\N{EN DASH}"] * 2,
        "PRISP (a)": ["2.0%", "0.1000"],
        "PRISP (b)": ["60.0%", "0.2000"],
    }
    (costs,) = cost_tables(found.results)
    place = costs.heads.index("To enrol a user") - 1
    assert {name: cells[place].text for name, cells in rows_of(costs).items()} == {
        "Base model": "0\N{NO-BREAK SPACE}s", "PRISP (a)": "1\N{NO-BREAK SPACE}s",
        "PRISP (b)": "5\N{NO-BREAK SPACE}min",
    }  # fmt: skip
    assert "PRISP" in rows_of(found.scores[0]) and wording.APART in page(tmp_path, runs)[0]  # scores are of all tasks


def test_failures_of_several_tasks_add_up_and_those_of_one_count_once(tmp_path: Path) -> None:
    prisp = Fake("prisp", 0.5, "prisp", fails=2)
    runs = [one(tmp_path / name, prisp, tasks=[task]) for name, task in (("a", "lamp_2m"), ("b", "lamp_4"))]
    results = read(runs).results
    assert results.failed("prisp") == (4, 80)
    (reasons,) = [by["reasons"] for by in results.failures["prisp"].values()]
    assert reasons == {"no adapter for random-000": 4}
    again = one(tmp_path / "c", prisp, tasks=["lamp_2m"])
    assert read([runs[0], again]).results.failed("prisp") == (2, 40)


def test_curves_norms_and_needs_are_those_of_their_run(tmp_path: Path) -> None:
    runs = [one(tmp_path / name, Fake("prisp", 0.5, "prisp"), tasks=[task], extra={
        "gradient_norms": {"prisp": [[size, size]]}, "curves": {"prisp": [{"seconds": 1, "loss": size}]},
        "needs": {"prisp": {"task_data": size > 1}},
    }) for name, task, size in (("a", "lamp_2m", 1.0), ("b", "lamp_4", 2.0))]  # fmt: skip
    results = read(runs).results
    for part in (results.gradient_norms, results.curves, results.needs):
        assert [*part] == ["prisp @ b", "prisp @ a"] or [*part] == ["prisp @ a", "prisp @ b"]
    assert results.gradient_norms["prisp @ b"] == [[2.0, 2.0]] and results.needs["prisp @ a"] == {"task_data": False}


def test_an_average_that_a_judge_gave_over_some_tasks_is_not_that_of_all(tmp_path: Path) -> None:
    def judge(task: str, mean: float) -> dict[str, Any]:
        marks = {name: {"mean": mean, "judged": 40} for name in (task, "average")}
        return {"version": "v:m", "methods": {"prisp": {"random": marks}}}

    runs = [one(tmp_path / name, Fake("prisp", 0.5, "prisp"), tasks=tasks, extra={"judge": judge(tasks[0], mean)})
            for name, tasks, mean in (("a", ["lamp_4"], 2.0), ("b", ["lamp_2m"], 4.0))]  # fmt: skip
    assert [*read(runs).results.judge["methods"]["prisp"]["random"]] == ["lamp_4", "lamp_2m"]


def test_rows_of_two_base_models_are_never_one(tmp_path: Path) -> None:
    runs = []
    for name, task in (("qwen", "lamp_2m"), ("llama", "lamp_4")):
        runs.append(one(tmp_path / name, Fake("base", 0.3), tasks=[task]))
        with (runs[-1] / "recipe.toml").open("a") as recipe:
            recipe.write(f'[base]\nname = "{name}-1b"\n')
    (table,) = read(runs).scores
    assert [*rows_of(table)] == ["Base model (llama)", "Base model (qwen)"]
    assert remarks(read_runs(runs)) == [
        "The base models differ: qwen-1b (qwen); llama-1b (llama). A difference between rows of two runs is the "
        "model's too."
    ]


def test_runs_of_different_people_are_refused_in_plain_words(tmp_path: Path) -> None:
    a = one(tmp_path / "a", Fake("base", 0.3), text="what one group wrote")
    b = one(tmp_path / "b", Fake("base", 0.3), text="what another group wrote")
    with pytest.raises(ValueError, match="cannot stand on one page") as caught:
        board(read_runs([a, b]))
    said = str(caught.value)
    assert said.startswith("a and b cannot stand on one page: they asked users of the same ids who answered otherwise")
    assert "LaMP-2M, movie tags, unseen users" in said and "report each run alone" in said and "wrote" not in said


def test_runs_that_share_some_people_only_are_refused_with_the_numbers(tmp_path: Path) -> None:
    a = one(tmp_path / "a", Fake("base", 0.3), users=10)
    b = one(tmp_path / "b", Fake("base", 0.3), users=12)
    shutil.rmtree(b / "rows")
    rewrite(b, range(1, 12))
    with pytest.raises(ValueError, match="they asked 10 and 11 users, 9 of them the same"):
        board(read_runs([a, b]))


def rewrite(folder: Path, users: Sequence[int]) -> None:
    """The rows of some users alone."""
    fake = Fake("base", 0.3)
    rows = [row(fake, "random", "lamp_2m", user, level) for user in users]
    write_part(folder / "rows" / "random" / "part-00000.parquet", rows, {"method": fake.about({})})


def test_a_run_of_some_of_the_users_is_not_ranked_and_says_so(tmp_path: Path) -> None:
    runs = [one(tmp_path / "all", Fake("base", 0.3), Fake("p2p", 0.5, "p2p")),
            one(tmp_path / "few", Fake("oppu", 0.9, "oppu"), Fake("base", 0.2), users=10)]  # fmt: skip
    found = read(runs, "base @ all")
    (table,) = found.scores
    assert table.title.startswith("Unseen users (40 of them)")
    ranks = {name: cells[0].rank for name, cells in rows_of(table).items()}
    assert ranks == {"Base model (all)": "2nd", "Base model (few) (10 users)": "", "P2P": "best", "OPPU (10 users)": ""}
    assert remarks(read_runs(runs)) == ["few asked 10 of the users only: such rows say so, and are not ranked."]
    # The test is on the ten users whom both asked.
    (tested,) = found.significance
    assert rows_of(tested)["OPPU (10 users)"][0].text == "+60.0"


def test_runs_without_rows_are_compared_by_their_numbers(tmp_path: Path) -> None:
    for name, users in (("a", 40), ("b", 40), ("c", 30)):
        (tmp_path / name).mkdir()
        results = {"methods": {"base": {"random": {"rating": 0.5}}}, "users": {"random": users}}
        (tmp_path / name / "results.json").write_text(json.dumps(results))
    same = read_runs([tmp_path / "a", tmp_path / "b"])
    assert board(same) and remarks(same) == [
        "No rows or answers are kept of a, b: whether the same users were asked cannot be told."
    ]
    with pytest.raises(ValueError, match="they asked 40 and 30 users"):
        board(read_runs([tmp_path / "a", tmp_path / "c"]))


def test_other_machines_are_said(tmp_path: Path) -> None:
    runs = [one(tmp_path / "a", Fake("base", 0.3)), one(tmp_path / "b", Fake("base", 0.3), extra={"machine": "H100"})]
    assert remarks(read_runs(runs)) == [
        "The machines differ: x86_64, 2 threads (a); H100 (b). Their seconds and bytes do not compare."
    ]
    both, text, _ = page(tmp_path, runs)
    assert "The machines differ" in both and "The machines differ" in text


def test_the_runs_table_has_what_differs(tmp_path: Path) -> None:
    runs = [one(tmp_path / name, Fake("base", 0.3)) for name in "ab"]
    for path, rank, rows in zip(runs, (8, 16), ('["base", "p2p"]', '["base", "rag"]'), strict=True):
        with (path / "recipe.toml").open("a") as recipe:
            recipe.write(f"rows = {rows}\nsame = 1\n[lora]\nrank = {rank}\n")
    table = runs_table(read_runs(runs))
    assert table is not None and table.heads == ("", "a", "b")
    assert {row.name: [cell.text for cell in row.cells] for row in table.rows} == {
        "Users": ["40 random", "40 random"], "data.rows": ["…, p2p", "…, rag"], "lora.rank": ["8", "16"],
        "Seed": ["0", "0"], "Commit": ["a40df45", "a40df45"],
    }  # fmt: skip
    more = runs_table(read_runs([*runs, *(one(tmp_path / f"c{n}", Fake("base", 0.3)) for n in range(3))]))
    assert more is not None and more.heads[0] == "Run" and len(more.rows) == 5


def test_rows_that_the_results_are_not_of_stay_off_the_page(tmp_path: Path) -> None:
    fakes = (Fake("base", 0.3), Fake("p2p", 0.5, "p2p"), Fake("oppu", 0.4, "oppu", fails=3))
    few = one(tmp_path / "few", *fakes, scored=by_lot)
    many = one(tmp_path / "many", *fakes, Fake("old", 0.9, "old"), splits=["random", "ood"], scored=by_lot)
    stale = shutil.copytree(many, tmp_path / "stale")  # an earlier recipe's rows, kept by --resume
    shutil.copy(few / "results.json", stale)
    wanted, found = (read_runs([folder])[0].marks for folder in (few, stale))
    assert found == wanted and set(found.scores) == {(name, "random") for name in ("base", "p2p", "oppu")}
    assert "old" in read_runs([many])[0].marks.made  # negative control
    assert read([stale]).significance == read([few]).significance  # Holm's correction is over what is shown


def test_parts_that_are_not_the_last_evaluation_s_do_not_count(tmp_path: Path) -> None:
    run = one(tmp_path / "run", Fake("base", 0.3))
    wanted = read_runs([run])[0].marks
    (part,) = (run / "rows").rglob("*.parquet")
    later = Path(str(part).replace("part-00000", "part-00001"))
    write_part(later, [row(Fake("base", 0.3), "random", "lamp_2m", 99, level)], {"method": Fake("base", 0.3).about({})})
    state = run / "rows" / ".plan.json"
    state.write_text(json.dumps({"finished": True, "parts": [part.relative_to(run / "rows").as_posix()]}))
    assert read_runs([run])[0].marks == wanted
    state.write_text(json.dumps({"finished": True}))  # an older run's
    assert read_runs([run])[0].marks != wanted
    for odd in ('{"finished": true, "parts": [3]}', '{"finished": true, "parts": "all"}'):
        state.write_text(odd)
        with pytest.raises(ValueError, match='plan.json: expected "parts", a list of file names'):
            read_runs([run])
