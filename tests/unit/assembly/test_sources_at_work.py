"""A source that fails is asked once."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tailorlm.adapters.peft_files import read_metadata
from tailorlm.assembly.benches import load_base
from tailorlm.assembly.build import BASE, SHARED
from tailorlm.assembly.recipes import BaseSettings
from tailorlm.assembly.sources import Sources, shared_lora
from tailorlm.assembly.wanted import Wanted
from tailorlm.methods.made_for import base


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


def test_the_shared_lora_stands_on_the_weights_that_it_was_trained_on(
    tiny_run: Path, tiny_base: Path, other_base: Path
) -> None:
    mine, theirs = (load_base(BaseSettings(name=str(path))) for path in (tiny_base, other_base))
    bench: Any = SimpleNamespace(backbone=mine)
    assert len(shared_lora(tiny_run / SHARED, bench)) == 1
    assert read_metadata(tiny_run / SHARED)[BASE] == base(mine)
    bench.backbone = theirs
    with pytest.raises(ValueError, match=rf"with weights of fingerprint {base(mine)}; .* has {base(theirs)}: use that"):
        shared_lora(tiny_run / SHARED, bench)
