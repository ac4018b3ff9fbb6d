"""Drift on neutral prompts: by hand, whose adapter is asked, and which files hold prompts."""

from pathlib import Path

import pytest
import torch
from torch.nn.functional import kl_div, log_softmax

from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.lora import LoraSpace
from tailorlm.assembly.benches import load_base
from tailorlm.assembly.drifting import DriftSettings
from tailorlm.assembly.recipes import BaseSettings
from tailorlm.backbone.inject import Injector
from tailorlm.backbone.loss import label_logits
from tailorlm.backbone.rows import collate
from tailorlm.evaluation.neutral import AT_ONCE, Neutral, digest, neutral_drift, neutral_rows, read_neutral


def test_by_hand_over_batches_with_the_adapter_of_each_row(tiny_base: Path) -> None:
    backbone = load_base(BaseSettings(name=str(tiny_base)))
    space = LoraSpace(backbone.sites(["q_proj", "v_proj"]), 2)
    dice = torch.Generator().manual_seed(0)
    made = {name: torch.randn(2, *shape, generator=dice) for name, shape in space.shapes().items()}
    adapters, injector = Adapters(space, made), Injector(backbone.model, space)
    prompts = [Neutral(f"number {n}", "yes" * (1 + n % 3)) for n in range(AT_ONCE + 3)]
    rows = neutral_rows(backbone, prompts, 200)
    index = torch.tensor([1, -1, 0])
    nats, tokens = 0.0, 0
    for n, row in enumerate(rows):
        batch = collate([row], backbone.pad_id, [int(index[n % 3])])
        with torch.no_grad():
            base = label_logits(backbone, batch)
            with injector(adapters, batch.index):
                other = label_logits(backbone, batch)
        kl = kl_div(log_softmax(other, -1), log_softmax(base, -1), log_target=True, reduction="none").sum(-1)
        assert bool((kl.abs() < 1e-6).all()) == (n % 3 == 1)  # a user without an adapter is asked of the base
        nats, tokens = nats + float(kl.sum()), tokens + len(kl)
    found = neutral_drift(backbone, injector, adapters, index, rows)
    assert found == pytest.approx(nats / tokens, rel=1e-4) and found > 0
    assert neutral_drift(backbone, injector, adapters, torch.tensor([-1]), rows) == pytest.approx(0.0, abs=1e-7)
    with pytest.raises(ValueError, match="at least one"):
        neutral_drift(backbone, injector, adapters, index, [])


def test_ours_are_short_and_each_once() -> None:
    ours = read_neutral()
    assert len(ours) == len({one.prompt for one in ours}) == 24
    assert digest(ours) == digest(read_neutral()) != digest(ours[1:])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected a line"), ("{secret", "p.jsonl:1: expected"), ('{"prompt": "secret"}', "p.jsonl:1: expected"),
        ('{"prompt": "a", "answer": "b"}\n{"prompt": "secret", "answer": ""}', "p.jsonl:2: expected"),
        ("[3]", "p.jsonl:1: expected"),
    ],
)  # fmt: skip
def test_other_files_are_refused_without_their_words(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text(text)
    with pytest.raises(ValueError, match=said) as caught:
        read_neutral(path)
    assert "secret" not in str(caught.value)


def test_a_file_of_one_s_own(tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text('{"prompt": "a", "answer": "b"}\n\n{"prompt": "c", "answer": "d", "x": 1}\n')
    assert read_neutral(tmp_path / "p.jsonl") == (Neutral("a", "b"), Neutral("c", "d"))
    with pytest.raises(ValueError, match="neutral prompts .*none.jsonl: cannot be read"):
        read_neutral(tmp_path / "none.jsonl")
    with pytest.raises(ValueError, match="eval.drift.users is -1"):
        DriftSettings(users=-1)
