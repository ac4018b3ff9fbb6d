"""Differences of the judge's marks: the same questions on both sides, users drawn, what is left out counted."""

import random
from pathlib import Path
from typing import Any

import pytest
from made_up_runs import Fake
from report_reading import one, page, read, rows_of

from tailorlm.evaluation.grids import Cell
from tailorlm.evaluation.runner_judge_marks import Marks
from tailorlm.evaluation.runner_judge_pairs import compared, differences
from tailorlm.evaluation.runner_judge_results import lines
from tailorlm.evaluation.runner_judge_sheets import Judged
from tailorlm.evaluation.runner_results import pairs


def mark(user: str, score: int | None, fault: str = "", task: str = "headline", seed: int = 0, n: int = 0) -> Judged:
    return Judged(example_id=f"{user}-{task}-{n}", user_id=user, task=task, method="m", split="dev", seed=seed,
                  score=score, fault=fault, reason=fault and f"it {fault}")  # fmt: skip


def marks(*rows: Judged) -> Marks:
    made = Marks()
    for row in rows:
        made.add(row)
    return made


def test_what_one_side_lacks_is_in_neither() -> None:
    a = marks(mark("u0", 5), mark("u1", 4), mark("u2", None, "unparsable"), mark("u3", 5), mark("u4", 5), mark("u5", 1))
    b = marks(mark("u0", 1), mark("u1", 3), mark("u2", 1), mark("u3", None, "failed"), mark("u4", None, "unparsable"))
    found = compared(a, b, 200, 0)
    assert found.keys() == {"headline"}
    said = found["headline"]
    # u0 and u1 alone: 4 and 1. The means over all that each side has would say 4.0 - 1.67.
    assert said["mean"] == pytest.approx(2.5) and (said["low"], said["high"]) == (1.0, 4.0)
    assert {name: said[name] for name in ("pairs", "unparsable", "failed", "alone")} == {
        "pairs": 2, "unparsable": 2, "failed": 1, "alone": 1,
    }  # fmt: skip
    back = compared(b, a, 200, 0)["headline"]
    assert back["mean"] == -said["mean"] and back["pairs"] == 2


def test_a_fault_weighs_more_than_an_answer_that_is_not_there() -> None:
    found = compared(marks(mark("u0", None, "failed")), marks(mark("u0", None, "unparsable")), 50, 0)["headline"]
    assert found == {"pairs": 0, "unparsable": 1, "failed": 0, "alone": 0}
    assert compared(marks(mark("u0", None, "failed")), marks(), 50, 0)["headline"]["failed"] == 1


def test_users_are_drawn_and_not_their_answers() -> None:
    """Of two users with fifty answers each, one gains and one loses: answers as such would say that it is clear."""
    a = marks(*(mark(user, 5 if user == "u0" else 1, n=n) for user in ("u0", "u1") for n in range(50)))
    b = marks(*(mark(user, 3 if user == "u0" else 2, n=n) for user in ("u0", "u1") for n in range(50)))
    said = compared(a, b, 300, 0)["headline"]
    assert said["mean"] == pytest.approx(0.5) and (said["low"], said["high"]) == (-1.0, 2.0)


def test_pairs_are_narrower_than_means_apart() -> None:
    """Easy and hard users: the paired interval does not hold what differs between users."""
    dice = random.Random(0)
    level = {f"u{n}": dice.choice([1, 2, 3, 4]) for n in range(40)}
    a = marks(*(mark(user, base + (n % 3 > 0)) for n, (user, base) in enumerate(level.items())))
    b = marks(*(mark(user, base) for user, base in level.items()))
    said, alone = compared(a, b, 500, 0)["headline"], a.table(500, 0)["headline"]
    assert said["low"] > 0 and said["high"] - said["low"] < 0.5 * (alone["high"] - alone["low"])


def test_seeds_are_paired_one_by_one() -> None:
    a = marks(*(mark(u, 5, seed=0) for u in "xy"), *(mark(u, None, "unparsable", seed=1) for u in "xy"))
    b = marks(*(mark(u, 4, seed=0) for u in "xy"), *(mark(u, 1, seed=1) for u in "xy"))
    said = compared(a, b, 50, 0)["headline"]
    assert said["mean"] == 1.0 and (said["pairs"], said["unparsable"]) == (2, 2)  # the 1s of seed 1 have no partner
    assert b.table(50, 0)["headline"]["mean"] == 2.5  # but are in the mean


@pytest.mark.parametrize("paired", [True, False])
def test_an_average_needs_pairs_of_every_task(paired: bool) -> None:
    fault = "" if paired else "failed"
    a = marks(*(mark(u, 4) for u in "xy"), *(mark(u, 5 if paired else None, fault, "tweet") for u in "xy"))
    b = marks(*(mark(u, 3, task=task) for u in "xy" for task in ("headline", "tweet")))
    found = compared(a, b, 50, 0)
    assert found["headline"]["mean"] == 1.0 and ("average" in found) is paired
    assert "mean" not in found["tweet"] if not paired else found["average"]["mean"] == 1.5


def test_one_user_has_counts_and_no_interval() -> None:
    assert compared(marks(mark("u0", 5)), marks(mark("u0", 1)), 50, 0)["headline"] == {
        "pairs": 1, "unparsable": 0, "failed": 0, "alone": 0,
    }  # fmt: skip


def test_which_methods_are_compared() -> None:
    def all_of(*names: str) -> list[str]:
        found = {name: {"dev": marks(mark("u0", 5), mark("u1", 4))} for name in names}
        return list(differences(found, 50, 0))

    assert all_of("base", "rag", "p2p", "mt_lora") == ["p2p - base", "p2p - mt_lora", "mt_lora - base", "rag - base"]
    assert all_of("oppu", "p2p", "mt_lora") == ["p2p - mt_lora", "oppu - mt_lora"]
    assert all_of("p2p_shuffled", "p2p") == ["p2p - p2p_shuffled"]  # once, not both ways
    assert all_of("base") == all_of() == []
    assert ("floor_user", "base") not in pairs(["floor_user", "base"])


GAPS: dict[str, Any] = {
    "p2p - base": {"random": {
        "lamp_2m": {"mean": 1.234, "low": 0.5, "high": 2.0, "pairs": 1200, "unparsable": 3, "failed": 0, "alone": 8}}},
    "rag - base": {"random": {"lamp_2m": {"pairs": 1, "unparsable": 0, "failed": 0, "alone": 0}}},
}  # fmt: skip


def judge(**kept: Any) -> dict[str, Any]:
    count = {"judged": 40, "unparsable": 2, "failed": 0}
    means = {name: {"random": {"lamp_2m": {"mean": 2.0, **count}}} for name in ("base", "p2p", "rag")}
    return {"version": "gpt-x", "reasons": {}, "methods": means, "differences": GAPS, **kept}


FAKES = (Fake("base", 0.3), Fake("p2p", 0.5, "p2p"), Fake("rag", 0.4))


def test_the_report_and_the_terminal_show_differences(tmp_path: Path) -> None:
    run = one(tmp_path / "a", *FAKES, extra={"judge": judge()})
    _, table = read([run]).judged
    assert table.heads == ("Comparison", "LaMP-2M, movie tags", "Pairs", "Left out")
    assert rows_of(table) == {
        "P2P against Base model": (Cell("+1.23", "+0.50 to +2.00", "", "right"), Cell("1,200"),
                                   Cell("3 unparsable, 8 of one method only")),
        "RAG against Base model": (Cell(), Cell("1"), Cell("0")),
    }  # fmt: skip
    for text in page(tmp_path, [run])[:2]:
        assert "differences of the judge" in text and "+1.23" in text
    told = "\n".join(lines(judge(), {"random": 40}))
    assert "P2P - Base model" in told and "+1.23 (+0.50 to +2.00)" in told and "3 unparsable, 8 alone" in told


def test_runs_without_differences_and_several_runs_are_read(tmp_path: Path) -> None:
    old = one(tmp_path / "old", *FAKES, extra={"judge": {k: v for k, v in judge().items() if k != "differences"}})
    assert len(read([old]).judged) == 1
    others = {"p2p - oppu": {"random": {"lamp_2m": {"mean": -1.0, "low": -2.0, "high": -0.5, "pairs": 9}}}}
    oppu = {"judge": judge(methods={}, differences=others)}
    runs = [one(tmp_path / "a", *FAKES, extra={"judge": judge()}), one(tmp_path / "b", Fake("oppu", 0.6), extra=oppu)]
    _, table = read(runs).judged
    found = rows_of(table)
    assert found["P2P against OPPU"][0] == Cell("−1.00", "−2.00 to −0.50", "", "wrong")  # noqa: RUF001
    assert len(found) == 3


def test_somebody_elses_differences_are_checked(tmp_path: Path) -> None:
    bad = {"p2p - base": {"random": {"lamp_2m": {"mean": "<script>"}}}}
    run = one(tmp_path / "a", *FAKES, extra={"judge": judge(differences=bad)})
    with pytest.raises(ValueError, match=r"judge.differences.p2p - base.random.lamp_2m.mean"):
        read([run])
