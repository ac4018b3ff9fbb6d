"""Charts: marks stand where their numbers say, scales are round, text is escaped, quantities read well."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailorlm.evaluation.charts import (
    LEFT,
    RIGHT,
    WIDTH,
    Bar,
    Dot,
    DotRow,
    decades,
    dot_chart,
    gain_chart,
    place,
)
from tailorlm.evaluation.curves import MOST, binned, line_chart, steps
from tailorlm.evaluation.markup import Markup, element, joined
from tailorlm.evaluation.quantities import duration, gain, points, size


def test_strings_are_escaped_and_markup_is_not() -> None:
    inner = element("b", "<i>", title='"&')
    assert inner == '<b title="&quot;&amp;">&lt;i&gt;</b>'
    assert element("p", inner, "<", None) == f"<p>{inner}&lt;</p>"
    assert isinstance(joined("a"), Markup) and not isinstance("a", Markup)
    assert element("circle", cx=1 / 3, class_="x", r=None) == '<circle cx="0.33" class="x"/>'


@given(st.text())
def test_no_text_makes_a_tag(text: str) -> None:
    made = element("p", text, title=text)
    assert made.count("<") == 2 and made.count('"') == 2
    made.encode("utf-8")


def test_the_scale_spans_the_plot() -> None:
    assert place(0, 0, 100) == LEFT and place(100, 0, 100) == WIDTH - RIGHT
    assert place(0, -50, 50) == (LEFT + WIDTH - RIGHT) / 2


def test_dots_stand_at_their_values() -> None:
    chart = dot_chart("t", "about", [DotRow("a", (Dot(50, 40, 60), None)), DotRow("b", (None, Dot(10)))])
    assert f'cx="{place(50, 0, 100):g}"' in chart and f'x1="{place(40, 0, 100):g}"' in chart
    assert ">50 / –<" in chart and ">– / 10<" in chart and chart.count("open") == 1  # noqa: RUF001


def test_gains_below_zero_stand_left_of_it() -> None:
    chart = gain_chart("t", "about", [Bar("down", -10, "-10"), Bar("up", 20, "+20")], Bar("top", 30, "+30"))
    zero = place(0, -10, 30)
    assert f'x="{LEFT:g}" y="24" width="{zero - LEFT:g}"' in chart
    assert f'x="{zero:g}" y="42"' in chart


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(3, 5, [1, 10]), (0.004, 9, [0.001, 0.1, 10]), (10, 1000, [10, 100, 1000]), (1, 1, [1, 10])],
)
def test_decades_enclose_the_values(low: float, high: float, ticks: list[float]) -> None:
    assert decades(low, high) == pytest.approx(ticks)


@given(st.floats(1e-6, 1e12), st.floats(1e-6, 1e12))
def test_decades_are_few_and_enclose(one: float, other: float) -> None:
    low, high = min(one, other), max(one, other)
    ticks = decades(low, high)
    assert 2 <= len(ticks) <= 4 and ticks[0] <= low * (1 + 1e-9) and high <= ticks[-1] * (1 + 1e-9)


@given(st.floats(1e-3, 1e6))
def test_steps_are_few_and_within(high: float) -> None:
    found = steps(high)
    assert found[0] == 0 and found[-1] <= high * (1 + 1e-9) and 3 <= len(found) <= 8


def test_long_curves_are_averaged_not_cut() -> None:
    line = [(float(x), float(x % 2)) for x in range(1200)]
    thin = binned(line)
    assert len(thin) <= MOST and thin[-1][0] > 1190 and all(0.4 < y < 0.6 for _, y in thin)
    assert binned([(1.0, 2.0)]) == [(1.0, 2.0)] and binned([]) == []


def test_a_curve_starts_and_ends_at_its_points() -> None:
    chart = line_chart("t", "about", [("one", [(0.0, 2.0), (10.0, 1.0)]), ("two", [(5.0, 0.0)])])
    assert 'points="40.0,8.0 324.0,94.0"' in chart
    assert "line0" in chart and "line1" in chart


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (5e-6, "5 µs"),
        (0.0034, "3.4 ms"),
        (0.25, "250 ms"),
        (9.7, "9.7 s"),
        (119, "119 s"),
        (300, "5 min"),
        (9000, "2.5 h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds).replace("\N{NO-BREAK SPACE}", " ") == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(12, "12 B"), (35_300, "35.3 KB"), (213_000, "213 KB"), (4.8e6, "4.8 MB"), (2e9, "2 GB")],
)
def test_sizes(count: float, text: str) -> None:
    assert size(count).replace("\N{NO-BREAK SPACE}", " ") == text


def test_points_and_gains() -> None:
    assert (points(0.1234), points(None), points(1.0, 0)) == ("12.3", "–", "100")  # noqa: RUF001
    assert (gain(0.05), gain(-0.05)) == ("+5.0", "−5.0")  # noqa: RUF001
