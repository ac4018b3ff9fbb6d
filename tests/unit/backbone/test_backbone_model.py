"""The frozen model: what it is loaded as, and which layers it offers."""

import pytest
import torch

from tailorlm.backbone.model import Backbone, pick_device, pick_dtype


def test_frozen_and_in_eval_mode(setup):
    model = setup.backbone.model
    assert not model.training and not any(p.requires_grad for p in model.parameters())


def test_load_gives_the_saved_model(setup, tmp_path, ids):
    setup.backbone.model.save_pretrained(tmp_path)
    setup.backbone.tokenizer.save_pretrained(tmp_path)
    loaded = Backbone.load(str(tmp_path), dtype="float32", device="cpu")
    assert loaded.id == str(tmp_path) and loaded.dtype == torch.float32 and loaded.device.type == "cpu"
    assert loaded.max_tokens == 512 and loaded.pad_id == setup.backbone.pad_id
    with torch.no_grad():
        assert torch.equal(loaded.model(input_ids=ids).logits, setup.backbone.model(input_ids=ids).logits)
    assert not any(p.requires_grad for p in loaded.model.parameters())


def test_sites_are_sorted_with_their_sizes(family):
    sites = family.backbone.sites(["v_proj", "q_proj"])
    assert [(s.module, s.layer) for s in sites] == [(m, i) for m in ("q_proj", "v_proj") for i in range(3)]
    assert sites[0].path == "model.layers.0.self_attn.q_proj"
    assert {(s.d_in, s.d_out) for s in sites} == {(32, 32), (32, 16)}


def test_linear_names_leave_out_the_head(setup):
    names = setup.backbone.linear_names()
    assert "lm_head" not in names and {"q_proj", "down_proj"} <= set(names)


def test_missing_and_unfit_targets_name_what_would_be_valid(setup):
    with pytest.raises(ValueError, match=r"no module named \['c_attn'\].*q_proj"):
        setup.backbone.sites(["q_proj", "c_attn"])
    with pytest.raises(ValueError, match=r"model\.layers\.0\.mlp \(Qwen2MLP\)"):
        setup.backbone.sites(["mlp"])
    with pytest.raises(ValueError, match="no numbered layer"):
        setup.backbone.sites(["lm_head"])


def test_pad_falls_back_to_the_end_token(setup):
    setup.backbone.tokenizer.pad_token = None
    assert setup.backbone.pad_id == setup.backbone.tokenizer.eos_token_id


def test_dtype_and_device(monkeypatch):
    assert pick_dtype("float16") == torch.float16
    with pytest.raises(ValueError, match="'int8' is not one of auto"):
        pick_dtype("int8")
    for able, expected in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda able=able: able, raising=False)
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False, raising=False)
        assert pick_dtype("auto", "cpu") == expected
    assert pick_dtype("auto", "meta") == torch.float32
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert pick_device() == torch.device("cuda")
    for capability, expected in (((7, 5), torch.float32), ((8, 0), torch.bfloat16)):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda d, c=capability: c)
        assert pick_dtype("auto", "cuda") == expected
    assert pick_device("cpu") == torch.device("cpu")
