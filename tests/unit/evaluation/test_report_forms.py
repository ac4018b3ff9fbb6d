"""Marks, intervals and the judge's table; the page and its Markdown say the same, and both are safe to open."""

import json
import re
import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_up_runs import TEXT, Fake, level, row, standard, write_run
from report_reading import one, page, read, rows_of
from test_report import HOSTILE, checked

from tailorlm.evaluation.grids import Cell, Grid, GridRow, html, markdown
from tailorlm.evaluation.report import report
from tailorlm.evaluation.report_apart import remarks
from tailorlm.evaluation.report_run import read_runs
from tailorlm.evaluation.results import Results, parse
from tailorlm.evaluation.rows import Row, write_part
from tailorlm.evaluation.sections import headline
from tailorlm.evaluation.tables import average_table, metric_table, ranked, score_table
from tailorlm.evaluation.wording import introduction


def scored(**values: dict[str, float]) -> Results:
    """Results of one split, by method and task."""
    users = {"random": 40, "few": 10}
    return parse({"methods": {name: {"random": found} for name, found in values.items()}, "users": users})


def marks(results: Results) -> dict[str, str]:
    return {row.name: row.cells[0].rank for row in score_table(results, "random").rows}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((0.5, 0.4, 0.3), ("best", "2nd", "")),
        ((0.5, 0.5, 0.3), ("best", "best", "")),  # two that are best leave no 2nd
        ((0.5, 0.4, 0.4), ("best", "2nd", "2nd")),
        ((0.5, 0.4, 0.4, 0.4), ("best", "", "", "")),  # a crowd is not 2nd
        ((0.5, 0.5, 0.5), ("", "", "")),  # nothing is best
        ((0.50004, 0.49996, 0.4), ("best", "best", "")),  # both read 50.0
        ((0.1 + 0.2, 0.3, 0.1), ("best", "best", "")),
    ],
)
def test_best_and_second_best_and_ties(values: tuple[float, ...], expected: tuple[str, ...]) -> None:
    found = marks(scored(**{f"m{n}": {"rating": value} for n, value in enumerate(values)}))
    assert tuple(found.values()) == expected


def test_one_row_alone_is_not_best_and_few_users_and_ceilings_are_no_rivals() -> None:
    assert marks(scored(base={"rating": 0.5})) == {"Base model": ""}
    found = marks(scored(base={"rating": 0.5}, rag={"rating": 0.6}, few={"rating": 0.9}, p2p_traits={"rating": 0.9}))
    assert found == {"Base model": "2nd", "RAG": "best", "P2P, true traits": "", "few (10 users)": ""}


def test_less_is_better_for_errors_and_counts_are_not_ranked() -> None:
    metrics = {"a": {"mae": 0.5, "rmse": 0.9, "invalid": 3.0}, "b": {"mae": 0.7, "rmse": 0.8, "invalid": 0.0}}
    results = parse({
        "methods": {name: {"random": {"rating": 0.5}} for name in metrics},
        "attributes": {name: {"random": {"rating": found}} for name, found in metrics.items()},
    })  # fmt: skip
    table = metric_table(results, "random", "rating")
    assert table is not None
    assert table.heads == ("Method", "MAE (less is better)", "RMSE (less is better)", "Invalid answers")
    assert [[cell.rank for cell in row.cells] for row in table.rows] == [["best", "2nd", ""], ["2nd", "best", ""]]


def test_averages_rank_errors_from_below(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", [Fake("base", 0.3), Fake("p2p", 0.6, "p2p")], splits=["random"], scored=level)
    table = average_table(read_runs([run])[0].results, "random")
    assert table is not None
    cells = rows_of(table)
    rating = next(place for place, head in enumerate(table.heads[1:]) if "MAE" in head)
    # MAE is 2 (1 - level); the composite the mean of 0.95 m twice, 0.45 m and 1 - 2.25 (1 - m).
    assert (cells["P2P"][rating].text, cells["P2P"][rating].rank) == ("0.800", "best")
    assert cells["P2P"][-1].text == f"{(2 * 0.95 * 0.6 + 0.45 * 0.6 + 1 - 2.25 * 0.4) / 4:.3f}"


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [({"k": 2, "source": "profile+items", "net": {"pool": "single"}},
      "The hypernetwork writes an adapter for each query from the profile and the 2 items retrieved for it, as one "
      "vector"),
     ({"k": 0, "source": "profile+items", "net": {"pool": "facets"}},
      "The hypernetwork writes an adapter for each user from the profile, statement by statement"),
     ({"k": 1, "source": "items", "net": {"pool": "single"}},
      "The hypernetwork writes an adapter for each query from the item retrieved for it, as one vector"),
     ({"k": 0, "source": "history", "net": {"pool": "attention"}},
      "The hypernetwork writes an adapter for each user from the user's whole history, as a set of vectors"),
     ({}, "The hypernetwork writes users' adapters from their profiles, in one pass")],
)  # fmt: skip
def test_what_p2p_is_told_is_said_as_its_settings_have_it(
    tmp_path: Path, settings: dict[str, Any], wanted: str
) -> None:
    run = one(tmp_path / "a", Fake("p2p", 0.5, "p2p", source={"settings": settings}),
              Fake("p2p+rag", 0.5, "p2p", "rag", source={"settings": settings}),
              Fake("p2p_shuffled", 0.4, "p2p", source={"settings": settings}))  # fmt: skip
    notes = [row.note for row in read([run]).scores[0].rows]
    assert notes == [f"{wanted}.", f"{wanted}; its prompts show RAG.",
                     "A control: every user gets the adapter of somebody else."]  # fmt: skip


def test_variants_are_named_in_the_introduction(tmp_path: Path) -> None:
    run = one(tmp_path / "a", Fake("base", 0.3), Fake("oppu_lora", 0.5, "oppu"), Fake("oppu_ia3", 0.5, "oppu"))
    said = introduction(read([run]).results)
    assert "the plain model with an adapter trained for each person (OPPU)," in said


def test_a_gain_that_may_be_luck_does_not_stand_out() -> None:
    def card(low: float) -> str:
        found = {"mean": 0.014, "low": low, "high": 0.031}
        return str(headline(parse({"methods": {"p2p": {"random": {"rating": 0.5}}},
                                   "differences": {"p2p - base": {"random": {"average": found}}}})))  # fmt: skip

    assert 'class="big unclear"' in card(-0.002) and "may be luck" in card(-0.002)
    assert 'class="big"' in card(0.002) and "luck" not in card(0.002)


def test_ranks_are_of_what_is_shown() -> None:
    results = scored(a={"rating": 0.5}, b={"rating": 0.5})
    assert ranked(results, {"a": 1.0, "b": 2.0}, lower=True) == {"a": "best", "b": "2nd"}
    assert ranked(results, {"a": None, "b": 2.0}) == {}


def test_intervals_are_those_of_the_run(tmp_path: Path) -> None:
    run = one(tmp_path / "a", Fake("base", 0.3), extra={"intervals": {"base": {"random": {"lamp_2m": [0.123, 0.456]}}}})
    (table,) = read([run]).scores
    assert rows_of(table)["Base model"][0].below == "12.3 to 45.6"


def test_one_page_and_markdown_say_the_same(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", standard()[:6])
    html_page, text, made = page(tmp_path, [run])
    checked(html_page)
    assert (made.html.name, made.markdown.name) == ("page.html", "page.md")
    for grid in (*made.content.scores, *made.content.averages, *made.content.significance):
        assert grid.title.replace("'", "&#x27;") in html_page and f"### {grid.title}" in text.replace("\\", "")
        for cell in (cell for line in grid.rows for cell in line.cells):
            assert cell.text in html_page and cell.text in text
    best = next(cell for line in made.content.scores[0].rows for cell in line.cells if cell.rank == "best")
    assert f"**{best.text}** ({best.below})" in text
    assert stat.S_IMODE(made.html.stat().st_mode) == stat.S_IMODE(made.markdown.stat().st_mode) == 0o600


def table_widths(text: str) -> set[bool]:
    """Whether every table of the Markdown has as many cells in every row."""
    blocks = re.findall(r"(?:^\|.*\|\n)+", text, flags=re.M)
    return {len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1 for block in blocks}


def test_hostile_names_do_nothing_in_either_form(tmp_path: Path) -> None:
    nasty = HOSTILE + "| ![x](http://evil) **a** `b` <b>\n# c"
    fakes = [Fake("base", 0.3), Fake(nasty, 0.5, "p2p")]
    runs = [rows_in_place(tmp_path / name, fakes) for name in ("a|b <i>", "c`d")]
    for run in runs:
        (run / "recipe.toml").write_text(f'x = "<script>{run.name}|</script>"\n')
    both, text, _ = page(tmp_path, runs)
    checked(both.replace("http://evil", ""))
    assert "<script" not in both and "<i>" not in both
    assert table_widths(text) == {True}
    assert not re.search(r"(?<!\\)<(?!!--)", text) and "![x]" not in text and "\x00" not in text


def rows_in_place(folder: Path, fakes: Sequence[Fake]) -> Path:
    """A run whose method's name cannot be a folder's."""
    methods = {fake.name: {"random": {"lamp_2m": fake.level}} for fake in fakes}
    folder.mkdir()
    (folder / "results.json").write_text(json.dumps({"methods": methods, "users": {"random": 6}}))
    for number, fake in enumerate(fakes):
        rows = [row(fake, "random", "lamp_2m", user, level) for user in range(6)]
        write_part(folder / "rows" / f"{number}" / "part-00000.parquet", [encodable(one) for one in rows],
                   {"method": fake.about({})})  # fmt: skip
    return folder


def encodable(one: Row) -> Row:
    """A row without lone surrogates, which Parquet cannot hold."""
    return replace(one, method=one.method.encode("utf-8", "replace").decode())


def answers(folder: Path, user: str, text: str) -> None:
    rows = [
        {"split": "random", "user_id": user, "task": "lamp_2m", "input": text, "target": text, "profile": [text],
         "outputs": {"base": text, "p2p": "nothing else"}}
    ]  # fmt: skip
    (folder / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_a_report_to_share_holds_no_text_id_or_reason(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", [Fake("base", 0.3), Fake("p2p", 0.5, "p2p", fails=3)])
    answers(run, "random-000", TEXT)
    private, text, _ = page(tmp_path, [run])
    assert TEXT in private and "no adapter for random-000" in private
    shared, beside, made = page(tmp_path, [run], share=True)
    for whole in (shared, beside, text):
        assert TEXT not in whole and "random-0" not in whole and "no adapter" not in whole
    assert stat.S_IMODE(made.html.stat().st_mode) == 0o644
    assert "12 of 160" in shared  # that rows failed is said, without the reason


def test_answers_of_every_run_are_shown_with_the_runs_name(tmp_path: Path) -> None:
    runs = [one(tmp_path / name, Fake("base", 0.3), Fake("p2p", 0.5, "p2p")) for name in "ab"]
    for run in runs:
        answers(run, "random-000", "<img src=x> <b>hers</b>")
    both, text, _ = page(tmp_path, runs)
    checked(both)
    assert "run a" in both and "run b" in both and "&lt;b&gt;hers&lt;/b&gt;" in both and "hers" not in text


def test_cells_and_heads_are_escaped_in_both_forms() -> None:
    grid = Grid("<t>|*", ("a|b", "<c>"), (GridRow("x_<y>|", (Cell("<1>|", "*2*\n_3_", "best", "right"),)),))
    assert "<t>" not in html(grid) and "&lt;1&gt;" in html(grid) and "x_<wbr/>&lt;y&gt;" in html(grid)
    lines = markdown(grid)
    assert lines[0] == r"### \<t\>\|\*" and lines[2] == r"| a\|b | \<c\> |"
    assert lines[4] == r"| x\_\<y\>\| | ▲ **\<1\>\|** (\*2\*, \_3\_) |"


def test_somebody_elses_markdown_is_left_alone(tmp_path: Path) -> None:
    run = one(tmp_path / "a", Fake("base", 0.3))
    (tmp_path / "page.md").write_text("mine")
    with pytest.raises(ValueError, match="is there and no report"):
        report([run], tmp_path / "page.html")
    assert (tmp_path / "page.md").read_text() == "mine" and not (tmp_path / "page.html").exists()


def judged(**means: dict[str, float]) -> dict[str, Any]:
    counts = {"judged": 40, "unparsable": 2, "failed": 0}
    return {"version": "gpt-x, rubric 1", "reasons": {}, "methods": {
        name: {"random": {"lamp_2m": {**found, **counts}}} for name, found in means.items()
    }}  # fmt: skip


def test_the_judge_has_a_table_with_intervals_and_what_is_not_judged(tmp_path: Path) -> None:
    said = judged(base={"mean": 2.0, "low": 1.8, "high": 2.2}, p2p={"mean": 3.456, "low": 3.1, "high": 3.9}, rag={})
    run = one(tmp_path / "a", Fake("base", 0.3), Fake("p2p", 0.5, "p2p"), Fake("rag", 0.4), extra={"judge": said})
    (table,) = read([run]).judged
    assert table.heads == ("Method", "LaMP-2M, movie tags", "Not judged")
    assert rows_of(table) == {
        "Base model": (Cell("2.00", "1.80 to 2.20", "2nd"), Cell("2 unparsable")),
        "P2P": (Cell("3.46", "3.10 to 3.90", "best"), Cell("2 unparsable")), "RAG": (Cell(), Cell("2 unparsable")),
    }  # fmt: skip
    both, text, _ = page(tmp_path, [run])
    assert "gpt-x, rubric 1" in both and "What a judge says" in text


def test_several_runs_have_their_judgements_in_one_table_and_other_judges_are_said(tmp_path: Path) -> None:
    runs = [one(tmp_path / "a", Fake("base", 0.3), extra={"judge": judged(base={"mean": 2.0})}),
            one(tmp_path / "b", Fake("p2p", 0.5, "p2p"),
                extra={"judge": judged(p2p={"mean": 3.0}) | {"version": "another"}})]  # fmt: skip
    (table,) = read(runs).judged
    assert [row.cells[0].text for row in table.rows] == ["2.00", "3.00"]
    assert any("The judges differ: gpt-x, rubric 1 (a); another (b)" in said for said in remarks(read_runs(runs)))
    assert not any(row.cells[0].rank for row in table.rows)
