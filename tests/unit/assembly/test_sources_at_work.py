"""A source that fails is asked once."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tailorlm.assembly.sources import Sources
from tailorlm.assembly.wanted import Wanted


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


def test_sharers_are_those_of_the_source_and_of_what_it_begins_at_alone(tmp_path: Path) -> None:
    sources: Any = object.__new__(Sources)
    for name, seconds in (("task", 7.0), ("per_pcs", 30.0), ("prisp", 5.0)):
        (tmp_path / f"{name}.json").write_text(json.dumps({"seconds": seconds, "finished": True}))
    sources._costs = lambda wanted: tmp_path / f"{wanted.adapter}.json"
    task = Wanted("task", SimpleNamespace())
    per_pcs = Wanted("per_pcs", SimpleNamespace(sharers=1), task)
    assert sources.sharing(task) is None and sources.sharing(per_pcs) == 30.0
    assert sources.sharing(Wanted("prisp", SimpleNamespace(), per_pcs)) == 30.0
    assert sources.sharing(Wanted("prisp", SimpleNamespace(), task)) is None
