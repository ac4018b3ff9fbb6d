"""Pictures of figures: marks stand where the numbers say, many lines stay readable, the table says the same."""

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailorlm.evaluation.charts import halves
from tailorlm.evaluation.figure import LINES, SCORE, faded
from tailorlm.evaluation.markup import element
from tailorlm.evaluation.names import foremost
from tailorlm.evaluation.plot_drawing import BOTTOM, MARGIN, TOP, coloured, drawn, shape, styled
from tailorlm.evaluation.plot_scales import rounds, scale, texts
from tailorlm.evaluation.plots import FAINT, WIDEST, Axis, Bars, Line, Lines, Named, Point, Scatter, exactly, plainly
from tailorlm.evaluation.quantities import MOMENTS, duration
from tailorlm.evaluation.report_figures import grid, note

K = Axis("k", scale="steps", texts={1.0: "1", 4.0: "4"})
HOSTILE = "<script>&\"' </svg>"


def line(name: str, *ys: float, kind: str = "plain", half: float | None = None) -> Line:
    found = [Point(x, y, None if half is None else y - half, None if half is None else y + half)
             for x, y in zip((1.0, 4.0), ys, strict=False)]  # fmt: skip
    return Line(name, tuple(found), kind)


def root(plot: Lines | Scatter | Bars) -> ElementTree.Element:
    return ElementTree.fromstring(drawn(plot))


def test_points_stand_at_their_values() -> None:
    picture = root(Lines("t", K, SCORE, (line("P2P", 0, 100, kind="ours"),)))
    curve = next(one for one in picture.iter("polyline") if "curve" in one.attrib["class"])
    (x1, y1), (x2, y2) = (map(float, pair.split(",")) for pair in curve.attrib["points"].split())
    assert (y1, y2) == (BOTTOM - MARGIN, TOP + MARGIN) and x1 < x2
    assert "c0 d0" in curve.attrib["class"]


@pytest.mark.parametrize(("count", "shown"), [(1, True), (5, True), (6, False)])
def test_intervals_are_drawn_where_they_can_be_told_apart(count: int, shown: bool) -> None:
    plot = Lines("t", K, SCORE, tuple(line(f"m{n}", n, n + 1, half=0.5) for n in range(count)))
    whiskers = [one for one in root(plot).iter("line") if one.attrib["class"].startswith("whisker")]
    assert len(whiskers) == (2 * count if shown else 0)
    assert note(plot) == (
        "Lines up and down are 95% intervals over users." if shown else "95% intervals over users are in the numbers."
    )
    assert grid(plot).rows[0].cells[0].below == "−0.5 to 0.5"  # noqa: RUF001


def test_intervals_of_several_lines_do_not_cover_each_other() -> None:
    plot = Lines("t", K, SCORE, (line("a", 1, 2, half=1), line("b", 1, 2, half=1)))
    places = [one.attrib["x1"] for one in root(plot).iter("line") if one.attrib["class"].startswith("whisker")]
    assert len(set(places)) == 4


def test_more_lines_than_can_be_named_stand_behind_the_others() -> None:
    names = ["floor", "base", "p2p", "oppu", "mt_lora @ run", *(f"mine_{n}" for n in range(9))]
    lines = faded({name: line(name, number, 2) for number, name in enumerate(names)})
    assert foremost(names, 4) == {"p2p", "oppu", "base", "mt_lora @ run"}
    assert [one.name for one in lines if one.kind != FAINT] == ["floor", *names[1:5], "mine_0", "mine_1", "mine_2"]
    plot = Lines("t", K, SCORE, lines)
    words = [one.text for one in root(plot).iter("text") if one.attrib["class"].startswith("label")]
    assert len(words) == LINES and "mine_8" not in words
    assert sum("faint" in one.attrib["class"] for one in root(plot).iter("polyline")) == len(names) - LINES
    assert len(grid(plot).rows) == len(names) and note(plot) == "Grey lines are the others; the numbers name them."


def test_lines_on_one_another_are_said() -> None:
    lines = (
        line("a", 0, 100),
        line("b", 50, 50),
        line("c", 0.9, 100),
        line("d", 0, 98.9),
        line("e", 50),
        line("f", 0, 99),
    )
    plot = Lines("t", K, SCORE, lines)
    assert plot.covered == {"a": ["c", "f"]}  # not d, 1.1% of the height away, nor e, which has one place
    assert note(plot) == "“c” and “f” lie on “a”."
    assert Lines("t", K, SCORE, (line("a", 5, 5), line("b", 5, 5), line("c", 5, 5, kind=FAINT))).covered == {"a": ["b"]}
    logarithmic = Axis("s", scale="log")
    assert not Lines("t", K, logarithmic, (line("a", 1, 1000), line("b", 2, 1000))).covered
    assert Lines("t", K, SCORE, (line("a", 1, 1000), line("b", 2, 1000))).covered


def test_lines_differ_in_more_than_colour() -> None:
    kinds = ("ours", "tuned", "plain", "plain", "plain", "plain", "plain", "tuned")
    styles = styled([line("x", 1, kind=kind) for kind in kinds])
    assert styles == [*range(LINES)]
    picture = root(Lines("t", K, SCORE, tuple(line(f"m{n}", 1, 2, kind=kind) for n, kind in enumerate(kinds))))
    assert len({one.attrib["d"] for one in picture.iter("path")}) == LINES


def test_no_two_of_many_lines_look_alike() -> None:
    styles = styled([line("x", 1)] * 30)
    assert len({(coloured(style), shape(0, 0, style)) for style in styles}) == 30


@pytest.mark.parametrize(("name", "columns"), [("PRISP: MT-LoRA 1e3 10", 1), ("PRISP + RAG", 2)])
def test_names_stand_side_by_side_where_they_fit(name: str, columns: int) -> None:
    found = root(Lines("t", K, SCORE, tuple(line(name, n, 2) for n in range(4))))
    places = {one.attrib["x"] for one in found.iter("text") if one.attrib["class"].startswith("label")}
    assert len(places) == columns


def test_a_long_name_goes_on_in_the_next_line() -> None:
    name = "a method of a name that is much too long for one line of a legend (run 17)"
    short, long = (root(Lines("t", K, SCORE, (line(one, 1, 2),))) for one in ("a", name))
    words = [one.text for one in long.iter("text") if one.attrib["class"].startswith("label")]
    assert " ".join(word or "" for word in words) == name and len(words) == 2
    assert float(long.attrib["viewBox"].split()[3]) > float(short.attrib["viewBox"].split()[3])


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("p2p_other_training_user", ("p2p_other_", "training_user")), ("OPPU of many words (32 users)",
        ("OPPU of many words", "(32 users)")), ("abcdefgh", ("abcd", "efgh")), ("one two", ("one", "two")),
    ],
)  # fmt: skip
def test_labels_are_cut_where_words_end(text: str, parts: tuple[str, str]) -> None:
    assert halves(text) == parts


def test_everything_in_a_picture_is_escaped() -> None:
    axis = Axis(HOSTILE, lambda value: HOSTILE, scale="steps", texts={1.0: HOSTILE, 4.0: "4"})
    for plot in (
        Lines(HOSTILE, axis, Axis(HOSTILE), (line(HOSTILE, 1, 2),), HOSTILE, (4.0, 2.0, HOSTILE)),
        Scatter(HOSTILE, Axis(HOSTILE), Axis(HOSTILE), (Line(HOSTILE, (Point(1, 2),)),)),
        Bars(HOSTILE, Axis(HOSTILE, lambda value: HOSTILE), ((HOSTILE, (Named(HOSTILE, 1.0),)),)),
    ):
        assert root(plot)[0].text == HOSTILE and "<script" not in drawn(plot)
        assert element("p", note(plot)).count("<") == 2


def test_bars_grow_from_zero_to_either_side() -> None:
    plot = Bars("t", Axis("%", plainly), (("", (Named("down", -50.0), Named("up", 100.0, "ours"))),))
    down, up = [one for one in root(plot).iter("rect")]
    ends = float(down.attrib["x"]) + float(down.attrib["width"])
    assert ends == pytest.approx(float(up.attrib["x"]), abs=0.02)
    assert float(up.attrib["width"]) == pytest.approx(2 * float(down.attrib["width"]), abs=0.02)


def test_a_logarithmic_axis_says_so_and_has_round_ticks() -> None:
    axis = Axis("time", duration, scale="log", rounds=MOMENTS)
    found = scale(axis, [0.002, 7200], 0, 100)
    assert [text.replace("\N{NO-BREAK SPACE}", " ") for _, text in found.ticks] == ["10 ms", "1 s", "60 s", "60 min"]
    assert found.place(0.002) == 0 and found.place(7200) == 100
    assert found.place((0.002 * 7200) ** 0.5) == pytest.approx(50)
    assert axis.title == "time, logarithmic" and Axis("time").title == "time"


def test_one_value_stands_in_the_middle() -> None:
    for axis in (Axis("x"), Axis("x", scale="log"), Axis("x", scale="steps", texts={3.0: "3"})):
        place = scale(axis, [3.0], 0, 100).place(3.0)
        assert place == pytest.approx(50)


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_ticks_enclose_the_values_and_are_few(low: float, span: float) -> None:
    ticks = rounds(low, low + span)
    slack = 1e-6 * max(1.0, abs(low), span)
    assert 2 <= len(ticks) <= 8 and ticks[0] <= low + slack and low + span <= ticks[-1] + slack


def test_ticks_near_each_other_have_the_digits_that_tell_them_apart() -> None:
    assert texts(SCORE, [50, 50.05, 50.1]) == ["50.00", "50.05", "50.10"]
    assert texts(SCORE, [0, 50, 100]) == ["0", "50", "100"]
    assert texts(Axis("b", lambda value: "2 GB"), [1.0, 2.0]) == ["2 GB", "2 GB"]


@pytest.mark.parametrize(
    ("value", "plain", "exact"),
    [(0.1, "0.1", "0.100"), (-12.5, "−12.5", "−12.5"), (1234.5, "1,234", "1,234"),  # noqa: RUF001
     (0.00000123, "1.23·10⁻⁶", "1.23·10⁻⁶"), (0, "0", "0.00")],
)  # fmt: skip
def test_numbers_read_well(value: float, plain: str, exact: str) -> None:
    assert (plainly(value), exactly(value)) == (plain, exact)


def table(places: int, lines: int) -> tuple[list[str], list[list[str]]]:
    found = [Line(f"m{n}", tuple(Point(x, x + n) for x in range(places))) for n in range(lines)]
    return Lines("t", Axis("step", "{:g}".format), Axis("y", "{:g}".format), tuple(found)).table()


def test_a_table_is_turned_or_thinned_rather_than_wide() -> None:
    assert table(3, 2) == (["step", "0", "1", "2"], [["m0", "0", "1", "2"], ["m1", "1", "2", "3"]])
    heads, rows = table(WIDEST + 1, 2)
    assert heads == ["step", "m0", "m1"] and len(rows) == WIDEST + 1 and rows[3] == ["3", "3", "4"]
    heads, rows = table(2 * WIDEST + 1, WIDEST + 1)
    assert heads[0] == f"step ({len(heads) - 1} of {2 * WIDEST + 1})" and len(heads) <= WIDEST + 1
    assert heads[-1] == f"{2 * WIDEST}" and len(rows) == WIDEST + 1


def test_what_is_missing_is_a_dash_and_a_gap() -> None:
    plot = Lines("t", K, SCORE, (line("a", 1, 2), Line("b", (Point(4.0, 3.0),))))
    assert [[cell.text for cell in row.cells] for row in grid(plot).rows] == [["1.0", "2.0"], ["–", "3.0"]]  # noqa: RUF001
    assert sum("curve" in one.attrib["class"] for one in root(plot).iter("polyline")) == 1


def test_the_picture_is_told_in_words() -> None:
    plot = Lines("t", K, SCORE, (line("a", 1, 2, half=1),))
    assert root(plot)[1].text == "k, 1, 4. a: 1.0, interval 0.0 to 2.0, 2.0, interval 1.0 to 3.0."
    assert not re.search(r"\bNone\b", drawn(plot))
