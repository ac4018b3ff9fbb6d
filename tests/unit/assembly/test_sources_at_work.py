"""A source that fails is asked once."""

from types import SimpleNamespace
from typing import Any

import pytest

from tailorlm.assembly.sources import Sources


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
