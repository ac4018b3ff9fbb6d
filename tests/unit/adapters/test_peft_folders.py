"""PEFT folders: what we write is portable, atomic and complete; what others wrote is not trusted."""

import json
import math
import os
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from tailorlm.adapters import peft_files
from tailorlm.adapters.batch import Adapters, BadAdapters
from tailorlm.adapters.ia3 import Space as Ia3
from tailorlm.adapters.lora import LoraSpace
from tailorlm.adapters.peft_config import CONFIG, PeftFileError, read_config
from tailorlm.adapters.peft_files import WEIGHTS, directory_for, load_peft, read_metadata, save_peft
from tailorlm.adapters.sites import Site
from tailorlm.adapters.stack import stacked

SITES = tuple(Site(f"model.layers.{i}.{m}", m, i, 6, o) for i in range(2) for m, o in (("q", 6), ("v", 4)))
SPACE = LoraSpace(SITES, 3)


def adapters(users=2, dtype=torch.float32):
    g = torch.Generator().manual_seed(0)
    return Adapters(SPACE, {k: torch.randn(users, *s, generator=g).to(dtype) for k, s in SPACE.shapes().items()})


@pytest.fixture
def folder(tmp_path):
    save_peft(adapters(1), [tmp_path / "a"], "org/base", "abc", {"profile": "v1"})
    return tmp_path / "a"


def edit(folder, **changes):
    config = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps({**config, **changes}))


def test_round_trip_is_exact(tmp_path):
    batch = adapters(3)
    folders = [tmp_path / str(i) for i in range(3)]
    save_peft(batch, folders, "org/base", None, {})
    for i, folder in enumerate(folders):
        loaded = load_peft(folder, SITES)
        assert len(loaded) == 1
        assert all(torch.equal(loaded.tensors[k], t[i : i + 1]) for k, t in batch.tensors.items())


def test_the_portable_form(folder):
    config = json.loads((folder / CONFIG).read_text())
    assert config["lora_alpha"] == config["r"] == 3
    assert not config["use_rslora"] and config["bias"] == "none" and not config["rank_pattern"]
    assert config["base_model_name_or_path"] == "org/base" and config["revision"] == "abc"
    assert config["target_modules"] == ["q", "v"]
    keys = load_file(folder / WEIGHTS)
    assert keys["base_model.model.model.layers.1.v.lora_B.weight"].shape == (4, 3)
    assert sorted(p.name for p in folder.iterdir()) == [CONFIG, WEIGHTS]


def test_provenance_is_in_the_header(folder):
    metadata = read_metadata(folder)
    assert metadata["profile"] == "v1" and metadata["base_id"] == "org/base" and metadata["format"] == "pt"
    assert metadata["tailorlm"]


def test_only_the_owner_can_read_an_adapter(folder):
    assert os.stat(folder).st_mode & 0o077 == 0


@pytest.mark.parametrize("rslora", [False, True])
def test_import_folds_the_scale(folder, rslora):
    edit(folder, lora_alpha=16, use_rslora=rslora)
    scale = 16 / math.sqrt(3) if rslora else 16 / 3
    loaded = load_peft(folder, SITES)
    torch.testing.assert_close(loaded.tensors["q.B"], adapters(1).tensors["q.B"] * scale)
    torch.testing.assert_close(loaded.tensors["q.A"], adapters(1).tensors["q.A"])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_read_as_float32(tmp_path, dtype):
    save_peft(adapters(1, dtype), [tmp_path / "a"], "b", None, {})
    loaded = load_peft(tmp_path / "a", SITES)
    assert loaded.tensors["q.A"].dtype == torch.float32
    assert torch.equal(loaded.tensors["q.A"], adapters(1, dtype).tensors["q.A"].float())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("use_dora", True),
        ("bias", "all"),
        ("lora_bias", True),
        ("modules_to_save", ["lm_head"]),
        ("rank_pattern", {"q": 2}),
        ("alpha_pattern", {"q": 2}),
        ("layers_to_transform", [0]),
        ("init_lora_weights", "pissa"),
        ("peft_type", "IA3"),
        ("fan_in_fan_out", True),
        ("use_qalora", True),
        ("something_new", {"a": 1}),
        ("r", None),
        ("lora_alpha", None),
        ("r", 2.5),
        ("r", True),
        ("lora_alpha", float("nan")),
        ("lora_alpha", -1),
        ("target_modules", "q|v"),
        ("base_model_name_or_path", 3),
    ],
)
def test_what_lora_cannot_express_is_refused_with_the_field(folder, field, value):
    edit(folder, **{field: value})
    with pytest.raises(PeftFileError, match=field):
        load_peft(folder, SITES)


def test_a_config_without_type_is_refused(folder):
    config = json.loads((folder / CONFIG).read_text())
    del config["peft_type"]
    (folder / CONFIG).write_text(json.dumps(config))
    with pytest.raises(PeftFileError, match="peft_type"):
        read_config(folder)


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[1]", b"\xff\xfe", b"[" * 100_000, b'{"r": ' + b"9" * 5000 + b"}", b"x" * 1_000_001]
)
def test_hostile_configs_are_refused(folder, text):
    (folder / CONFIG).write_bytes(text)
    with pytest.raises(PeftFileError):
        read_config(folder)


@given(st.binary(max_size=200))
def test_any_bytes_as_weights_are_refused(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("x") / "a"
    save_peft(adapters(1), [folder], "b", None, {})
    (folder / WEIGHTS).write_bytes(data)
    with pytest.raises(PeftFileError):
        load_peft(folder, SITES)


def test_pickles_are_refused(folder):
    (folder / WEIGHTS).rename(folder / "adapter_model.bin")
    with pytest.raises(PeftFileError, match="unpickling"):
        load_peft(folder, SITES)
    with pytest.raises(PeftFileError, match="missing"):
        load_peft(folder / "none", SITES)


@pytest.mark.parametrize("change", ["missing", "extra", "shape", "dtype", "nan"])
def test_weights_are_checked(folder, change):
    tensors = load_file(folder / WEIGHTS)
    name = "base_model.model.model.layers.0.q.lora_A.weight"
    if change == "missing":
        del tensors[name]
    elif change == "extra":
        tensors[name.replace("lora_A", "lora_magnitude_vector")] = torch.zeros(3)
    elif change == "shape":
        tensors[name] = torch.zeros(3, 7)
    elif change == "dtype":
        tensors[name] = tensors[name].double()
    else:
        tensors[name][0, 0] = float("nan")
    save_file(tensors, folder / WEIGHTS)
    with pytest.raises(BadAdapters if change == "nan" else PeftFileError, match=r"q\.A|lora_"):
        load_peft(folder, SITES)


def test_other_sites_are_refused(folder):
    with pytest.raises(PeftFileError, match="does not fit"):
        load_peft(folder, SITES[:2])


def test_nan_never_leaves_the_process(tmp_path):
    batch = adapters(2)
    batch.tensors["v.B"][1, 0, 0, 0] = float("nan")
    with pytest.raises(BadAdapters, match="adapter 1"):
        save_peft(batch, [tmp_path / "a", tmp_path / "b"], "b", None, {})
    assert list(tmp_path.iterdir()) == []


def test_what_peft_has_no_form_for_is_refused_with_the_way_out(tmp_path):
    ia3 = Ia3(SITES, ())
    ones = Adapters(ia3, {name: torch.ones(1, *shape) for name, shape in ia3.shapes().items()})
    with pytest.raises(ValueError, match="no form for ia3 over lora: merge the lora into the base"):
        save_peft(stacked(adapters(1), ones), [tmp_path / "a"], "b", None, {})
    assert list(tmp_path.iterdir()) == []


def test_an_adapter_is_replaced_whole(folder):
    save_peft(adapters(2)[1], [folder], "org/base", None, {})
    assert torch.equal(load_peft(folder, SITES).tensors["q.A"], adapters(2).tensors["q.A"][1:])
    assert [p.name for p in folder.parent.iterdir()] == ["a"]


@pytest.mark.parametrize("step", ["save_file", "rename"])
def test_a_failed_write_leaves_the_old_adapter_and_no_litter(folder, monkeypatch, step):
    before = load_peft(folder, SITES)
    real, calls = os.rename, []

    def broken(*args):
        calls.append(args)
        if step == "save_file" or len(calls) == 2:
            raise OSError("disk full")
        return real(*args)

    monkeypatch.setattr(*((peft_files, "save_file") if step == "save_file" else (os, "rename")), broken)
    with pytest.raises(OSError, match="disk full"):
        save_peft(adapters(2)[1], [folder], "org/base", None, {})
    monkeypatch.undo()
    after = load_peft(folder, SITES)
    assert all(torch.equal(after.tensors[k], t) for k, t in before.tensors.items())
    assert [p.name for p in folder.parent.iterdir()] == ["a"]


def test_what_is_not_an_adapter_is_never_replaced(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").write_text("x")
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "home")
    for name in ("home", "file", "link"):
        with pytest.raises(ValueError, match="left alone"):
            save_peft(adapters(1), [tmp_path / name], "b", None, {})
    assert (tmp_path / "home" / "thesis.tex").exists()


def test_directories_must_match_and_differ(tmp_path):
    with pytest.raises(ValueError, match="2 adapters need as many"):
        save_peft(adapters(2), [tmp_path / "a"], "b", None, {})
    with pytest.raises(ValueError, match="two adapters"):
        save_peft(adapters(2), [tmp_path / "a", tmp_path / "a"], "b", None, {})
    assert list(tmp_path.iterdir()) == []


def test_base_and_metadata_are_checked(tmp_path):
    with pytest.raises(ValueError, match="base_id"):
        save_peft(adapters(1), [tmp_path / "a"], "", None, {})
    with pytest.raises(ValueError, match="'k'"):
        save_peft(adapters(1), [tmp_path / "a"], "b", None, {"k": 1})


@pytest.mark.parametrize(
    "name",
    ["..", ".", "../../etc", "/etc/passwd", "a/b", "a\\b", "a\0b", ".hidden", "ü ~", "x" * 5000, "\ud800"],
)
def test_no_name_leaves_the_root(tmp_path, name):
    place = directory_for(tmp_path, name)
    assert place.parent == tmp_path and place.resolve().parent == tmp_path.resolve()
    assert not place.name.startswith(".") and len(place.name) <= 180
    save_peft(adapters(1), [place], "b", None, {})


@given(st.text(min_size=1), st.text(min_size=1))
def test_different_ids_have_different_folders(one, two):
    assert (directory_for("r", one) == directory_for("r", two)) == (one == two)
    assert directory_for("r", one).parent == Path("r")


def test_an_empty_id_is_refused(tmp_path):
    with pytest.raises(ValueError, match="not empty"):
        directory_for(tmp_path, "")
