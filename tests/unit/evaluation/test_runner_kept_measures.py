"""What is kept of drift and of gradients' norms beside the rows is read for exactly the rows and seeds of the plan."""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tailorlm.assembly.runs import write_json
from tailorlm.assembly.store import stored
from tailorlm.data.records import Example, User
from tailorlm.evaluation import runner_drift, runner_norms
from tailorlm.evaluation.plan import Method, Plan
from tailorlm.evaluation.runner_drift import Asked
from tailorlm.methods.gradient_norms import GradientNorms

ASKED = Asked(2, ())


@dataclass
class Shared:
    """Rows of one source and seed."""

    methods: list[Method]
    seed: int = 0
    users: int = 0

    def rows(self, chunk: Any, cells: Any) -> Any:
        raise NotImplementedError


def shared(*names: str, seed: int = 0) -> Shared:
    return Shared([Method(name, "prisp", "none", {}) for name in names], seed)


def plan(folder: Path, *ways: Shared, splits: tuple[str, ...] = ("dev",), users: int = 3) -> Plan:
    people = stored(
        (User(f"u{n}", ()), [Example(f"q{n}", f"u{n}", "headline", "Write", "drama")]) for n in range(users)
    )
    return Plan(folder / "rows", dict.fromkeys(splits, people), ways, 2)


def measured(run: Path, name: str, seed: int, **found: Any) -> None:
    path = runner_drift.file(run, name, seed)
    path.parent.mkdir(exist_ok=True)
    write_json(path, {**ASKED.about(), **found})


def test_an_earlier_seed_whose_drift_failed_is_said(tmp_path: Path) -> None:
    measured(tmp_path, "tuned", 0, failure="no user could be enrolled")
    measured(tmp_path, "tuned", 1, drift=0.5, measured_users=2)
    both = plan(tmp_path, shared("tuned"), shared("tuned", seed=1))
    assert runner_drift.unmeasured(tmp_path, both) == [
        "drift of tuned with seed 0 was not measured: no user could be enrolled"
    ]
    alone = plan(tmp_path, shared("tuned"))
    assert runner_drift.unmeasured(tmp_path, alone) == ["drift of tuned was not measured: no user could be enrolled"]
    assert not runner_drift.unmeasured(tmp_path, plan(tmp_path, shared("tuned", seed=1)))


def normed(run: Path, name: str, split: str, seed: int, number: int, norm: float) -> None:
    path = runner_norms.file(run, name, split, seed, number)
    path.parent.mkdir(exist_ok=True, parents=True)
    write_json(path, {"parts": [{"sums": [[norm]], "users": [1]}]})


def test_norms_are_those_of_the_plan_s_seeds_splits_and_chunks(tmp_path: Path) -> None:
    both = plan(tmp_path, shared("tuned"), shared("tuned", seed=1), splits=("dev", "ood"))
    for place, (split, seed, number) in enumerate((s, e, n) for e in (0, 1) for s in ("dev", "ood") for n in (0, 1)):
        normed(tmp_path, "tuned", split, seed, number, float(place))
    assert runner_norms.gradient_norms(tmp_path, both) == {"tuned": [[3.5]]}
    one = plan(tmp_path, shared("tuned"))
    assert runner_norms.gradient_norms(tmp_path, one) == {"tuned": [[0.5]]}
    fewer = plan(tmp_path, shared("tuned", seed=1), splits=("ood",), users=2)
    assert runner_norms.gradient_norms(tmp_path, fewer) == {"tuned": [[6.0]]}
    assert runner_norms.gradient_norms(tmp_path, plan(tmp_path, shared("other"))) == {}


def test_what_rows_share_is_found_whichever_of_them_is_left_and_first(tmp_path: Path) -> None:
    rows = shared("tuned", "tuned+rag").methods
    keep = runner_norms.Keeping(tmp_path, rows, 0)
    roster: Any = SimpleNamespace(gradients=GradientNorms([[2.0]], [1]))
    keep(next(plan(tmp_path, shared("tuned")).chunks("dev", 2)), [roster])
    drifting = runner_drift.Drifting(tmp_path, desk(), broken, rows, 0, ASKED)
    drifting(next(plan(tmp_path, shared("tuned")).chunks("dev", 2)), [roster])
    for names in (("tuned", "tuned+rag"), ("tuned+rag", "tuned"), ("tuned+rag",), ("new", "tuned")):
        one = plan(tmp_path, shared(*names), users=2)
        assert runner_norms.gradient_norms(tmp_path, one) == {names[0]: [[2.0]]}  # a source once
        assert runner_drift.unmeasured(tmp_path, one) == [f"drift of {names[0]} was not measured: RuntimeError"]
    for name in ("tuned", "tuned+rag"):
        measured(tmp_path, name, 0, drift=0.5, measured_users=2)
    found = runner_drift.found(tmp_path, plan(tmp_path, shared("tuned+rag")), {"tuned+rag": False}, ASKED)
    assert found["drift"] == {"tuned+rag": 0.5}
    other = runner_drift.found(tmp_path, plan(tmp_path, shared("new")), {"new": False}, ASKED)
    assert other == {}


def desk() -> Any:
    return SimpleNamespace(splits={"dev": None}, reason=lambda error: type(error).__name__)


def broken() -> Any:
    raise RuntimeError
