"""What sources begin at: whose adapter of another source each owner gets, and who is refused."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.lora import LoraSpace
from tailorlm.adapters.sites import Site
from tailorlm.assembly.anchors import start_of
from tailorlm.data.records import User
from tailorlm.methods.owners import Owner
from tailorlm.methods.source import Roster

SPACE = LoraSpace((Site("a", "q_proj", 0, 3, 3),), 1)
A, B, C = (User(name, ()) for name in "abc")


def adapters(*numbers: float) -> Adapters:
    shapes = SPACE.shapes()
    return Adapters(
        SPACE, {name: torch.stack([torch.full(shape, n) for n in numbers]) for name, shape in shapes.items()}
    )


class Given:
    """A source with this roster; `asked` has whom it was to enrol for what."""

    injector: Any = SimpleNamespace(space=SPACE)

    def __init__(self, roster: Roster) -> None:
        self.roster, self.asked = roster, []

    def enrol(self, users: Sequence[User], tasks: Sequence[str] = ()) -> Roster:
        self.asked.append(([user.id for user in users], list(tasks)))
        return self.roster


def begun(source: Any, owners: Sequence[Owner], tasks: Sequence[str] = ()) -> list[float]:
    start = start_of(source, tasks)
    assert start.space == SPACE
    made = start.of(owners)
    return [float(next(iter(made[n].tensors.values())).mean()) for n in range(len(made))]


def test_each_user_begins_at_the_own_adapter() -> None:
    of_all = Given(Roster(adapters(1.0, 2.0, 3.0), {("c", None): 0, ("a", None): 1, ("b", None): 2}))
    assert begun(of_all, [Owner(A), Owner(B), Owner(C)]) == [2.0, 3.0, 1.0]
    assert begun(of_all, [Owner(C), Owner(B), Owner(A)]) == [1.0, 3.0, 2.0]
    assert begun(of_all, [Owner(B, "x"), Owner(B, "y"), Owner(A, "x")]) == [3.0, 3.0, 2.0]  # whatever the task
    of_one = Given(Roster(adapters(1.0, 2.0, 3.0), {("a", "x"): 2, ("b", "x"): 1, ("c", "x"): 0}))
    assert begun(of_one, [Owner(A), Owner(B), Owner(C)], ("x",)) == [3.0, 2.0, 1.0]


def test_each_user_and_task_begins_at_the_own_adapter() -> None:
    place = {("a", "x"): 0, ("a", "y"): 1, ("b", "x"): 2, ("b", "y"): 3}
    source = Given(Roster(adapters(1.0, 2.0, 3.0, 4.0), place))
    owners = [Owner(A, "x"), Owner(A, "y"), Owner(B, "x"), Owner(B, "y")]
    assert begun(source, owners, ("x", "y", "z")) == [1.0, 2.0, 3.0, 4.0]
    assert begun(source, owners[::-1], ("z", "y", "x")) == [4.0, 3.0, 2.0, 1.0]
    assert begun(source, [Owner(B, "x"), Owner(A, "y")]) == [3.0, 2.0]
    assert source.asked == [(["a", "b"], ["x", "y"]), (["b", "a"], ["y", "x"]), (["b", "a"], ["x", "y"])]
    by_task = Given(Roster(adapters(1.0, 2.0), {(id, task): n for id in "ab" for n, task in enumerate("xy")}))
    assert begun(by_task, owners) == [1.0, 2.0, 1.0, 2.0]
    assert begun(by_task, owners[::2]) == [1.0]  # one that these owners share
    assert start_of(by_task, ("x", "y")).shared is None


def test_what_is_everybodys_is_known_as_that() -> None:
    source: Any = Given(Roster(adapters(1.0), {}))
    source.of_all = lambda tasks: adapters(5.0) if len(tasks) < 2 else None
    start = start_of(source, ("x",))
    assert start.shared is start.one() and float(start.one().tensors["q_proj.A"].mean()) == 5.0
    assert not source.asked
    with pytest.raises(ValueError, match="its start has one for each user or task"):
        start_of(source, ("x", "y")).one()


def test_a_start_knows_the_task_that_it_was_made_for() -> None:
    source: Any = Given(Roster(adapters(1.0), {}))
    source.of_all = lambda tasks: adapters(5.0) if len(tasks) == 1 else None
    assert start_of(source, ("x",)).task == "x"
    source.of_all = lambda tasks: adapters(5.0)
    assert start_of(source, ("x",)).task is None  # the same whatever the task


def test_what_cannot_be_begun_at_is_said() -> None:
    none: Any = SimpleNamespace(injector=None)
    with pytest.raises(ValueError, match="makes no adapters that another source could begin at"):
        start_of(none, ())
    with pytest.raises(ValueError, match="makes no adapters that another source could begin at"):
        begun(Given(Roster(None, {})), [Owner(A)])
    two = Given(Roster(adapters(1.0, 2.0), {("a", "x"): 0, ("a", "y"): 1}))
    with pytest.raises(ValueError, match="user 'a' has 2 adapters to begin at, one for each task.*items.scope"):
        begun(two, [Owner(A)], ("x", "y"))
    with pytest.raises(ValueError, match="user 'a/z' has no adapter that another source could begin at"):
        begun(two, [Owner(A, "z")], ("x", "y"))
    with pytest.raises(ValueError, match="user 'b' has no adapter that another source could begin at"):
        begun(Given(Roster(adapters(1.0, 2.0), {("b", None): -1, ("a", None): 0})), [Owner(B)])
