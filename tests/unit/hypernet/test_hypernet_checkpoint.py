"""Checkpoints: what is saved comes back; what does not fit or is hostile is refused."""

import json
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from tailorlm.adapters.lora import LoraSpace
from tailorlm.adapters.sites import Site
from tailorlm.hypernet import checkpoint
from tailorlm.hypernet.checkpoint import check, from_pretrained, push_to_hub, save_pretrained
from tailorlm.hypernet.config import BadCheckpoint, Meta
from tailorlm.hypernet.network import Hypernet

SPACE = LoraSpace(
    tuple(Site(f"model.layers.{n}.{m}", m, n, 8, o) for n in range(2) for m, o in (("q_proj", 8), ("v_proj", 4))),
    rank=2,
)


def build(**changes: Any) -> tuple[Hypernet, Meta]:
    torch.manual_seed(0)
    chosen = {"scaling": 2.5, "latent": 16, "head_in": 12, "pool": "facets", "slots": 3, "components": 2}
    net = Hypernet(SPACE, 6, **{**chosen, **changes})
    with torch.no_grad():
        for value in net.parameters():
            value.add_(0.1 * torch.randn_like(value))
    net.fit(torch.randn(20, net.slots, 6), torch.ones(20, net.slots, dtype=torch.bool))
    facets = ("a: 1", "b", "c") if net.settings["pool"] == "facets" else ()
    meta = Meta.of(
        net, base_id="org/base", base_revision="abc", encoder_id="org/enc", template="1", facets=facets,
        recipe={"train": {"steps": 5}, "note": "ünï"},
    )  # fmt: skip
    return net.eval(), meta


@pytest.mark.parametrize("head", ["L", "M", "S"])
@pytest.mark.parametrize("pool", ["facets", "attention", "single"])
@pytest.mark.parametrize("unit_norm", [False, True])
def test_round_trip_is_exact(tmp_path: Path, head: str, pool: str, unit_norm: bool) -> None:
    slots = 1 if pool == "single" else 3
    net, meta = build(head=head, pool=pool, slots=slots, unit_norm=unit_norm, bias="layer")
    save_pretrained(tmp_path / "deep" / "er", net, meta)
    torch.manual_seed(7)
    before = torch.get_rng_state()
    again, read = from_pretrained(tmp_path / "deep" / "er")
    assert torch.equal(torch.get_rng_state(), before)
    assert read == meta and again.settings == net.settings and not again.training
    vectors, mask = torch.randn(4, slots, 6), torch.ones(4, slots, dtype=torch.bool)
    with torch.no_grad():
        for name, tensor in net(vectors, mask).tensors.items():
            assert torch.equal(tensor, again(vectors, mask).tensors[name])
    again(vectors, mask).tensors["q_proj.A"].sum().backward()
    assert sorted(p.name for p in (tmp_path / "deep" / "er").iterdir()) == ["config.json", "model.safetensors"]


def test_saving_again_replaces_and_keeps_other_files(tmp_path: Path) -> None:
    net, meta = build()
    (tmp_path / "results.json").write_text("{}")
    save_pretrained(tmp_path, net, meta)
    with torch.no_grad():
        net.trunk.last.down.bias.add_(1)
    save_pretrained(tmp_path, net, meta)
    again, _ = from_pretrained(tmp_path)
    assert torch.equal(again.trunk.last.down.bias, net.trunk.last.down.bias)
    assert (tmp_path / "results.json").exists() and len(list(tmp_path.iterdir())) == 3


def test_a_failed_save_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net, meta = build()
    save_pretrained(tmp_path, net, meta)
    monkeypatch.setattr(checkpoint, "flush", lambda file: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        save_pretrained(tmp_path, net, meta)
    from_pretrained(tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_mix_of_two_saves_is_refused(tmp_path: Path) -> None:
    net, meta = build()
    save_pretrained(tmp_path / "a", net, meta)
    save_pretrained(tmp_path / "b", net, meta)
    (tmp_path / "a" / "config.json").replace(tmp_path / "b" / "config.json")
    with pytest.raises(BadCheckpoint, match="two different saves"):
        from_pretrained(tmp_path / "b")


def test_nan_is_neither_saved_nor_loaded(tmp_path: Path) -> None:
    net, meta = build()
    save_pretrained(tmp_path, net, meta)
    rewrite_weights(tmp_path, lambda state: state["trunk.last.down.bias"].fill_(torch.nan))
    with pytest.raises(BadCheckpoint, match=r"trunk.last.down.bias holds NaN"):
        from_pretrained(tmp_path)
    with torch.no_grad():
        net.pool.linear.bias[0] = torch.inf
    with pytest.raises(BadCheckpoint, match=r"pool.linear.bias holds NaN or Inf"):
        save_pretrained(tmp_path / "new", net, meta)
    assert not (tmp_path / "new").exists()


def test_check_lists_expected_and_found() -> None:
    _, meta = build()
    check(meta)
    check(
        meta, base_id="org/base", base_revision="abc", encoder_id="org/enc", encoder_size=6, template="1",
        facets=["a: 1", "b", "c"], sites=SPACE.sites[::-1], rank=2,
    )  # fmt: skip
    with pytest.raises(BadCheckpoint) as error:
        check(meta, base_id="org/other", encoder_size=384, facets=["b", "a: 1", "c"], sites=SPACE.sites[:3], rank=4)
    text = str(error.value)
    assert "base_id: expected 'org/base', found 'org/other'" in text
    assert "encoder_size: expected 6, found 384" in text and "rank: expected 2, found 4" in text
    assert "sites: expected 4 of them with Site(path='model.layers.1.v_proj'" in text
    assert "found 3 of them" in text and "facets" in text and "template" not in text


def test_meta_of_another_network_is_not_saved(tmp_path: Path) -> None:
    net, _ = build()
    for change in ({"scaling": 1.0}, {"slots": 2}):
        _, other = build() if "slots" in change else build(**change)
        other = other if "scaling" in change else Meta(**{**vars(other), "facets": ("a", "b")})
        with pytest.raises(ValueError, match=r"scaling|facets"):
            save_pretrained(tmp_path, net, other)
    _, meta = build()
    with pytest.raises(ValueError, match="JSON"):
        save_pretrained(tmp_path, net, Meta(**{**vars(meta), "recipe": {"x": Path("x")}}))
    with pytest.raises(ValueError):
        save_pretrained(tmp_path, net, Meta(**{**vars(meta), "recipe": {"x": float("nan")}}))
    assert not list(tmp_path.iterdir())


def rewrite_weights(folder: Path, change: Any) -> None:
    state = load_file(folder / "model.safetensors")
    change(state)
    save_id = json.loads((folder / "config.json").read_text())["save_id"]
    save_file(state, folder / "model.safetensors", metadata={"save_id": save_id})


def rewrite_config(folder: Path, path: list[Any], value: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    place = config
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    (folder / "config.json").write_text(json.dumps(config))


HOSTILE: list[tuple[list[Any], Any, str]] = [
    (["format"], "pickle", "expected format"),
    (["version"], 1, "expected format"),
    (["version"], True, "must be int"),
    (["save_id"], 3, "save_id"),
    (["base"], "x", "'base' must be dict"),
    (["base", "id"], ["x"], "'id' must be str"),
    (["base", "revision"], 1, "revision"),
    (["encoder", "size"], 10**9, "size"),
    (["encoder", "size"], 7, "encoder.size 7"),
    (["encoder", "id"], "e" * 10_000, "characters"),
    (["facets"], ["a", "b"], "facets"),
    (["facets"], ["a", "a", "b"], "facets"),
    (["facets"], [1, 2, 3], "facets"),
    (["adapter", "kind"], "bitfit", "adapter.kind is 'bitfit'; expected one of ia3, lora"),
    (["adapter", "kind"], "../lora", "adapter.kind"),
    (["adapter", "kind"], "ia3", "feedforward"),
    (["adapter", "rank"], 10**6, "rank"),
    (["adapter", "rank"], 0, "rank"),
    (["adapter", "sites"], [], "sites"),
    (["adapter", "sites"], [["a", "a", 0, 8, 8]] * 2, "same module"),
    (["adapter", "sites", 0], ["../../etc/x", "x", 0, 8, 8], "dotted"),
    (["adapter", "sites", 0], ["a.b", "c", 0, 8, 8], "dotted"),
    (["adapter", "sites", 0, 3], 1 << 40, "d_in"),
    (["adapter", "sites", 0, 2], -1, "layer"),
    (["adapter", "sites", 0], 5, "sites"),
    (["network", "latent"], 10**9, "latent"),
    (["network", "latent"], "16", "latent"),
    (["network", "extra"], 1, "unknown settings"),
    (["network", "scaling"], float("nan"), "scaling"),
    (["network", "head"], ["L"], "head"),
    (["recipe"], [], "recipe"),
    (["network", "latent"], 32, "expected"),
    (["adapter", "rank"], 3, "expected"),
]


@pytest.mark.parametrize(("path", "value", "message"), HOSTILE)
def test_hostile_configs_are_refused(tmp_path: Path, path: list[Any], value: Any, message: str) -> None:
    save_pretrained(tmp_path, *build())
    rewrite_config(tmp_path, path, value)
    with pytest.raises(BadCheckpoint, match=message):
        from_pretrained(tmp_path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.sampled_from([p for p, _, _ in HOSTILE]), value=JSON)
def test_any_json_in_any_place_loads_or_is_refused(tmp_path: Path, place: list[Any], value: Any) -> None:
    save_pretrained(tmp_path, *build())
    rewrite_config(tmp_path, place, value)
    with suppress(BadCheckpoint):
        from_pretrained(tmp_path)


def test_broken_files_are_refused(tmp_path: Path) -> None:
    save_pretrained(tmp_path, *build())
    weights, config = tmp_path / "model.safetensors", tmp_path / "config.json"
    whole, text = weights.read_bytes(), config.read_bytes()
    weights.write_bytes(whole[:-10])
    with pytest.raises(BadCheckpoint, match="not a whole safetensors"):
        from_pretrained(tmp_path)
    weights.write_bytes(whole)
    for bad in (b"", b"{", b"\xff\xfe\x00", b"[" * 100_000):
        config.write_bytes(bad)
        with pytest.raises(BadCheckpoint, match=r"config.json"):
            from_pretrained(tmp_path)
    config.write_bytes(text)
    rewrite_weights(tmp_path, lambda state: state.pop("pool.whitened.basis"))
    with pytest.raises(BadCheckpoint, match=r"pool.whitened.basis: expected \(3, 6, 2\), found None"):
        from_pretrained(tmp_path)
    rewrite_weights(
        tmp_path, lambda state: state.update({"pool.whitened.basis": torch.zeros(3, 6, 2), "x": torch.ones(1)})
    )
    with pytest.raises(BadCheckpoint, match="x: expected None"):
        from_pretrained(tmp_path)
    weights.unlink()
    with pytest.raises(BadCheckpoint, match=r"no model.safetensors"):
        from_pretrained(tmp_path)
    with pytest.raises(BadCheckpoint, match="neither a folder nor a hub id"):
        from_pretrained(tmp_path / "no" / "such")


def test_push_and_pull_go_through_the_hub_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, Any]] = []

    class Api:
        def __init__(self, token: str | None) -> None:
            calls.append(("token", token))

        def create_repo(self, repo_id: str, private: bool, exist_ok: bool) -> None:
            calls.append((repo_id, private))

        def upload_folder(self, repo_id: str, folder_path: str, commit_message: str) -> Any:
            for file in Path(folder_path).iterdir():
                (tmp_path / file.name).write_bytes(file.read_bytes())
            return SimpleNamespace(commit_url=f"https://hub/{repo_id}")

    def download(repo_id: str, revision: str | None, token: str | None, allow_patterns: list[str]) -> str:
        calls.append((repo_id, (revision, allow_patterns)))
        return str(tmp_path)

    monkeypatch.setattr(checkpoint, "HfApi", Api)
    monkeypatch.setattr(checkpoint, "snapshot_download", download)
    net, meta = build()
    assert push_to_hub("me/net", net, meta, token="t") == "https://hub/me/net"
    _, read = from_pretrained("me/net", revision="r1")
    assert read == meta
    assert calls == [("token", "t"), ("me/net", True), ("me/net", ("r1", ["config.json", "model.safetensors"]))]
