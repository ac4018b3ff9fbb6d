"""The published network's numbers by our trunk and L heads, and what the reader of its files refuses.

The numbers were computed by the published code (its note is in meta.json); they are not of our making.
"""

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tailorlm.adapters.lora import LoraSpace
from tailorlm.adapters.sites import Site
from tailorlm.hypernet.network import Hypernet
from tailorlm.hypernet.published import from_state, read_published

SHARED = Path(os.environ.get("TAILORLM_SHARED", Path(__file__).parents[3] / "shared"))
FOLDER = SHARED / "golden" / "p2p_reference_checkpoint"
FILE = FOLDER / "checkpoints" / "it_100" / "hypermod.pt"
SCALING = 16 / 8**0.5
pytestmark = pytest.mark.skipif(not FILE.exists(), reason=f"needs {FILE} (set TAILORLM_SHARED)")


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    return dict(torch.load(FILE, weights_only=True))


@pytest.fixture(scope="module")
def expected() -> dict[str, torch.Tensor]:
    return load_file(FOLDER / "expected.safetensors")


def space(layers: tuple[int, ...] = (0, 1, 2), v_out: int = 16) -> LoraSpace:
    shapes = (("q_proj", 32, 32), ("v_proj", 32, v_out))
    sites = [Site(f"model.layers.{n}.self_attn.{m}", m, n, i, o) for n in layers for m, i, o in shapes]
    return LoraSpace(tuple(sites), 8)


def order() -> list[str]:
    return list(json.loads((FOLDER / "meta.json").read_text())["module_order"])


def largest_error(net: Hypernet, expected: dict[str, torch.Tensor], layers: tuple[int, ...] = (0, 1, 2)) -> float:
    vectors = expected["embeddings"][:, None]
    with torch.no_grad():
        adapters = net(vectors, torch.ones(vectors.shape[:2], dtype=torch.bool))
    errors = []
    for module in ("q_proj", "v_proj"):
        for factor, scale in (("A", 1.0), ("B", net.scaling)):
            made = adapters.tensors[f"{module}.{factor}"] / scale
            golden = torch.stack([expected[f"user{i}.{module}.{factor}"] for i in range(len(vectors))])
            errors.append(float((made - golden[:, list(layers)]).abs().max()))
    return max(errors)


def test_our_network_computes_the_published_numbers(expected: dict[str, torch.Tensor]) -> None:
    assert largest_error(read_published(FILE, space(), order(), SCALING), expected) < 1e-5


def test_some_layers_only(expected: dict[str, torch.Tensor]) -> None:
    net = read_published(FILE, space((0, 2)), order(), SCALING)
    assert largest_error(net, expected, (0, 2)) < 1e-5


def test_the_wrong_module_order_gives_other_numbers(expected: dict[str, torch.Tensor]) -> None:
    """The negative control: what a reload with another set order did to the published code."""
    assert largest_error(read_published(FILE, space(), order()[::-1], SCALING), expected) > 1e-2


def test_an_offset_adapter_is_added(state: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    state = {**state}
    moved = {**expected}
    for factor in "AB":
        for module in ("q_proj", "v_proj"):
            name = f"AB_offset.{factor}.{module}"
            state[name] = torch.randn_like(state[name])
            for user in range(5):
                moved[f"user{user}.{module}.{factor}"] = expected[f"user{user}.{module}.{factor}"] + state[name]
    assert largest_error(from_state(state, space(), order(), SCALING), moved) < 1e-5
    assert largest_error(from_state(state, space((1,)), order(), SCALING), moved, (1,)) < 1e-5


def test_the_shared_head_form_is_read(state: dict[str, torch.Tensor]) -> None:
    """Published M: head(mlp3(mlp2(h + LN(code of A or B)))) as (r, max), of which the first columns are used."""
    state = {name: value for name, value in state.items() if not name.startswith("heads.")}
    for module in ("q_proj", "v_proj"):
        state[f"heads.{module}.weight"], state[f"heads.{module}.bias"] = torch.randn(8 * 32, 48), torch.randn(8 * 32)
        state[f"out_emb.{module}.A"], state[f"out_emb.{module}.B"] = torch.randn(32), torch.randn(32)
    state["out_emb_norm.weight"], state["out_emb_norm.bias"] = torch.randn(32), torch.randn(32)
    net = from_state(state, space(), order(), SCALING)
    user = torch.randn(1, 16)
    for index, (module, d_out) in enumerate((("q_proj", 32), ("v_proj", 16))):
        for part, width in (("A", 32), ("B", d_out)):
            code = torch.nn.functional.layer_norm(
                state[f"out_emb.{module}.{part}"], (32,), state["out_emb_norm.weight"], state["out_emb_norm.bias"]
            )
            h = net.trunk.first(net.trunk.mixer(user, net.trunk.places()))[3 * index : 3 * index + 3, 0] + code
            x = net.trunk.last(net.trunk.last_norm(net.trunk.second(h)))
            out = x @ state[f"heads.{module}.weight"].T + state[f"heads.{module}.bias"]
            golden = out.view(3, 8, 32)[..., :width]
            parts = net.parts(net.trunk.module_index)
            a, b = net.heads[index](net.trunk(user, parts)[3 * index : 3 * index + 3])
            made = a[:, 0] if part == "A" else b[:, 0] / SCALING
            assert torch.allclose(made, golden, atol=1e-4)


def test_what_is_refused(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"unknown tensor 'pos_emb.0.weight'"):
        from_state({**state, "pos_emb.0.weight": torch.zeros(8, 32)}, space(), order(), SCALING)
    with pytest.raises(ValueError, match=r"unknown tensor 'heads.k_proj.weight'"):
        from_state({**state, "heads.k_proj.weight": torch.zeros(1)}, space(), order(), SCALING)
    with pytest.raises(ValueError, match=r"heads.v_proj.weight: expected shape \(320, 48\), found \(384, 48\)"):
        from_state(state, space(v_out=8), order(), SCALING)
    with pytest.raises(ValueError, match=r"trunk|layer_depth_encoder.0.weight: expected"):
        from_state(state, space((0, 3)), order(), SCALING)
    with pytest.raises(ValueError, match="module order"):
        from_state(state, space(), ["q_proj"], SCALING)
    with pytest.raises(ValueError, match=r"no tensor 'mlp2.mlp.1.weight'"):
        from_state({n: v for n, v in state.items() if n != "mlp2.mlp.1.weight"}, space(), order(), SCALING)
    with pytest.raises(ValueError, match="reconstruction"):
        from_state({**state, "std_recon_target.A.q_proj": torch.ones(3, 8, 32)}, space(), order(), SCALING)
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(ValueError, match="state dict"):
        read_published(tmp_path / "list.pt", space(), order(), SCALING)


def test_a_pickle_with_code_is_not_run(tmp_path: Path) -> None:
    torch.save({"x": Path("x")}, tmp_path / "code.pt")
    with pytest.raises(Exception, match=r"[Ww]eights"):
        read_published(tmp_path / "code.pt", space(), order(), SCALING)
