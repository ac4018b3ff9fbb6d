"""Sources that begin at others: whose adapters they get, in which order; a source that fails is asked once."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.lora import LoraSpace
from tailorlm.adapters.sites import Site
from tailorlm.assembly.sources import Sources, start_of
from tailorlm.data.records import User
from tailorlm.methods.source import Roster

SPACE = LoraSpace((Site("a", "q_proj", 0, 3, 3),), 1)
USERS = [User("a", ()), User("b", ()), User("c", ())]


def adapters(*numbers: float) -> Adapters:
    shapes = SPACE.shapes()
    return Adapters(
        SPACE, {name: torch.stack([torch.full(shape, n) for n in numbers]) for name, shape in shapes.items()}
    )


def begun(roster: Roster, users: list[User], tasks: tuple[str, ...] = ()) -> list[float]:
    source: Any = SimpleNamespace(enrol=lambda users, tasks: roster)
    made = start_of(source, tasks)(users)
    return [float(next(iter(made[n].tensors.values())).mean()) for n in range(len(made))]


def test_each_user_begins_at_the_own_adapter() -> None:
    roster = Roster(adapters(1.0, 2.0, 3.0), {("c", None): 0, ("a", None): 1, ("b", None): 2})
    assert begun(roster, USERS) == [2.0, 3.0, 1.0]
    assert begun(roster, USERS[::-1]) == [1.0, 3.0, 2.0]
    by_task = Roster(adapters(1.0, 2.0, 3.0), {("a", "x"): 2, ("b", "x"): 1, ("c", "x"): 0})
    assert begun(by_task, USERS, ("x",)) == [3.0, 2.0, 1.0]
    assert begun(Roster(adapters(5.0), {}), USERS) == begun(Roster(adapters(5.0), {}), []) == [5.0]  # one for everybody


def test_what_cannot_be_begun_at_is_said() -> None:
    with pytest.raises(ValueError, match="makes no adapters that another source could begin at"):
        begun(Roster(None, {}), USERS)
    two = Roster(adapters(1.0, 2.0), {("a", "x"): 0, ("a", "y"): 1})
    with pytest.raises(
        ValueError, match="user 'a' has 2 adapters to begin at, expected one: evaluate one task at a time"
    ):
        begun(two, USERS[:1], ("x", "y"))
    with pytest.raises(ValueError, match="user 'b' has no adapter that another source could begin at"):
        begun(Roster(adapters(1.0, 2.0), {("b", None): -1, ("a", None): 0}), USERS[1:2])


def test_a_source_that_fails_is_prepared_once() -> None:
    sources: Any = object.__new__(Sources)
    sources._made, tried = {}, []

    def prepare(wanted: Any) -> None:
        tried.append(wanted.key)
        raise RuntimeError("no memory")

    sources._prepare = prepare
    for _ in range(3):
        with pytest.raises(RuntimeError, match="no memory"):
            sources.prepared(SimpleNamespace(key="k"))
    assert tried == ["k"] and sources.notes() == {}
