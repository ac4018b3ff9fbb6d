"""A checkpoint says what its network is told, and the network is told the same after loading."""

from dataclasses import replace
from pathlib import Path

import pytest

from tailorlm.assembly import build, checkpoints
from tailorlm.assembly.recipes import read
from tailorlm.hypernet.config import BadCheckpoint
from tailorlm.tailor import Tailor


@pytest.fixture(scope="module")
def asked(tiny_recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "asked"
    return build.train(read(tiny_recipe, ["methods.p2p.k=2", "methods.p2p.train.steps=2"]), folder)


def test_k_and_source_come_back(asked: Path) -> None:
    tailor = Tailor.from_pretrained(asked)
    assert (tailor.use.k, tailor.use.source) == (2, "profile+items")
    assert (tailor.source.settings.k, tailor.source.settings.source) == (2, "profile+items")


def test_one_adapter_a_user_is_refused_where_there_is_one_a_query(asked: Path) -> None:
    tailor = Tailor.from_pretrained(asked)
    with pytest.raises(ValueError, match=r'told source "profile\+items" with k = 2: items of a history'):
        tailor.personalize(history=[("Write a headline: news", "NEWS!")])


def test_what_does_not_go_together_is_no_checkpoint(asked: Path) -> None:
    _, meta = checkpoints.fetch(asked, None, None)
    use = {**meta.recipe["use"], "source": "history"}
    with pytest.raises(BadCheckpoint, match='source "history" retrieves nothing'):
        checkpoints.read_use(replace(meta, recipe={**meta.recipe, "use": use}))


@pytest.mark.parametrize("kind", ["ia3", "prompt_tuning", "prefix_tuning"])
def test_other_kinds_come_back_too(kind: str, tiny_recipe: Path, tmp_path: Path) -> None:
    options = [] if kind == "ia3" else ["methods.p2p.options.tokens=3"]
    recipe = read(tiny_recipe, [f"methods.p2p.kind={kind}", "start=base", "methods.p2p.train.steps=2", *options])
    tailor = Tailor.from_pretrained(build.train(recipe, tmp_path / "run"))
    made = tailor.personalize(
        history=[
            (
                "Write a headline: news",
                "NEWS!",
            )
        ]
    )
    assert made.adapters.space.kind == tailor.use.kind == kind
    assert made.adapters.space == tailor.source.hypernet.space


def test_a_lora_is_no_start_for_another_kind(tiny_recipe: Path) -> None:
    with pytest.raises(ValueError, match='kind is "ia3", and the start is LoRA of rank 2'):
        read(tiny_recipe, ["methods.p2p.kind=ia3"])


def test_another_kind_than_the_network_makes_is_no_checkpoint(asked: Path) -> None:
    tailor = Tailor.from_pretrained(asked)
    for use, said in ((replace(tailor.use, kind="ia3"), "makes adapters of"),):
        with pytest.raises(BadCheckpoint, match=said):
            checkpoints.restore(tailor.bench, tailor.source.hypernet, tailor.meta, use)
    table = {**tailor.meta.recipe["use"], "kind": "ia4"}
    with pytest.raises(BadCheckpoint, match="ia4"):
        checkpoints.read_use(replace(tailor.meta, recipe={**tailor.meta.recipe, "use": table}))
