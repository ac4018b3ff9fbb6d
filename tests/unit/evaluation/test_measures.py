"""Seconds, peaks and costs over users: measured alike, break-even by hand."""

import time

import pytest
import torch

from tailorlm.evaluation import measure
from tailorlm.evaluation.measure import Cost, Taken, break_even, counts, measured
from tailorlm.evaluation.rows import Row
from tailorlm.evaluation.runner_costs import Costs, break_evens, cumulative

CPU = torch.device("cpu")


def row(user: str, **found: object) -> Row:
    return Row(
        example_id="q", user_id=user, task="t", method="m", adapter="a", context="c", split="dev",
        **{"seed": 0, "history_items": 1, "target": "x", **found},
    )  # fmt: skip


def test_a_peak_is_of_this_piece_alone() -> None:
    big, first = measured(lambda: bytearray(b"x" * 80_000_000), CPU)
    del big
    _, second = measured(lambda: time.sleep(0.01), CPU)
    assert first.rss - second.rss > 40_000_000 and second.seconds >= 0.01 and second.cuda == 0
    assert first.beside(second) == Taken(first.seconds + second.seconds, first.rss, 0)


def test_where_there_is_no_proc_the_peak_is_the_processes(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setattr(measure, "STATUS", tmp_path / "none")
    monkeypatch.setattr(measure, "FORGET", tmp_path)
    assert measured(lambda: 1, CPU)[1].rss > 10_000_000


def test_break_even() -> None:
    once, each = Cost(100.0, 1.0), Cost(0.0, 11.0)
    assert break_even(once, each) == 10 and once.total(10) == each.total(10) == 110.0
    assert break_even(Cost(101.0, 1.0), each) == 11 and break_even(each, once) is None
    assert break_even(Cost(0.0, 1.0), each) == 0 and break_even(Cost(5.0, 11.0), each) is None
    assert break_even(Cost(5.0, 11.0 - 1e-13), each) is None  # clocks are not that exact
    assert counts(1) == [1] and counts(30) == [1, 2, 5, 10, 20, 30]
    costs = {"p2p": once, "oppu": each, "base": Cost(0.0, 1.0)}
    assert break_evens(costs) == {"p2p - oppu": 10}
    assert cumulative(costs, 4)["p2p"] == [[1, 101.0], [2, 102.0], [5, 105.0], [10, 110.0]]


def test_costs_count_a_users_enrolment_once() -> None:
    costs = Costs()
    for user, seconds in (("a", 0.1), ("a", 0.3), ("b", 0.2)):
        costs.add(
            row(user, seconds=seconds, enrol_seconds=2.0, kept_bytes=10, adapter_bytes=10, peak_rss=7, new_tokens=4)
        )
    costs.add(row("c", failure="why"))
    assert (
        costs.enrol_seconds == 2.0
        and costs.mean("seconds") == pytest.approx(0.2)
        and costs.mean("prompt_tokens") is None
    )
    found = costs.cost(50.0)
    assert found is not None and found.total(1) == pytest.approx(50.0 + 2.0 + 0.6 / 2)
    table = costs.table(50.0)
    assert (table["rows"], table["failed"], table["users"], table["kept_bytes_per_user"]) == (4, 1, 2, 10)
    assert table["peak_rss_bytes"] == 7 and table["peak_cuda_bytes"] is None and table["new_tokens_per_instance"] == 4
    assert costs.seconds == pytest.approx(4.6) and costs.cost(None) is None and Costs().cost(1.0) is None
    assert Costs().table(None)["kept_bytes_per_user"] is None
