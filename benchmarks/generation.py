"""Adapters of many users at Qwen2.5-7B shapes: the hypernetwork against its own matmuls done bare.

Both are timed in turns in one process; the bare side calls torch.mm on the same shapes, in the same order, with
nothing between. Prints medians, times a user and the ratio (target: at most 1.15).
Run: python benchmarks/generation.py [--dtype float32|bfloat16] [--users 64] [--rounds 5] [--threads 2]
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from tailorlm.adapters.lora import LoraSpace
from tailorlm.adapters.sites import Site
from tailorlm.hypernet.heads import HeadL
from tailorlm.hypernet.network import Hypernet

LAYERS, RANK, LATENT, HEAD_IN, ENCODER = 28, 8, 1024, 2048, 2560
SHAPES = (("q_proj", 3584, 3584), ("v_proj", 3584, 512))


def build(dtype: torch.dtype) -> Hypernet:
    """The published network at 7B, with head weights that are not zero (a denormal or zero may be faster)."""
    sites = [Site(f"layers.{n}.{m}", m, n, i, o) for n in range(LAYERS) for m, i, o in SHAPES]
    net = Hypernet(
        LoraSpace(tuple(sites), RANK), ENCODER, scaling=16 / RANK**0.5, latent=LATENT, head_in=HEAD_IN
    )
    with torch.no_grad():
        for head in net.heads:
            assert isinstance(head, HeadL)
            for weight in (head.weight_a, head.weight_b):
                weight.uniform_(-0.01, 0.01)
    return net.to(dtype).eval()


def operands(net: Hypernet, users: int) -> list[tuple[Tensor, Tensor]]:
    """(input, weight) of every matmul that the network does, inputs random."""
    trunk, dtype, rows = net.trunk, net.trunk.depths.weight.dtype, users * len(net.space.sites)
    up = trunk.mixer.body.up.weight
    sizes = [
        (users, net.pool.linear.weight),  # type: ignore[union-attr]
        (len(net.space.sites), up[:, LATENT // 2 :]),
        (users, up[:, : LATENT // 2]),
        *[(rows, w) for w in (
            trunk.mixer.body.down.weight, trunk.first.body.up.weight, trunk.first.body.down.weight,
            trunk.second.body.up.weight, trunk.second.body.down.weight, trunk.last.up.weight, trunk.last.down.weight,
        )],
        *[(users * LAYERS, w) for head in net.heads for w in (head.weight_a, head.weight_b)],
    ]  # fmt: skip
    inputs: dict[tuple[int, int], Tensor] = {}
    for count, weight in sizes:
        inputs.setdefault((count, weight.shape[1]), torch.randn(count, weight.shape[1], dtype=dtype))
    return [(inputs[count, weight.shape[1]], weight.detach()) for count, weight in sizes]


def bare(pairs: list[tuple[Tensor, Tensor]]) -> list[Tensor]:
    """The matmuls alone; the heads' outputs are kept, as adapters are, the others are dropped."""
    for x, weight in pairs[:-4]:
        torch.mm(x, weight.t())
    return [torch.mm(x, weight.t()) for x, weight in pairs[-4:]]


def timed(run: Callable[[], object]) -> float:
    """Seconds of one run, its result freed after the clock stops."""
    start = time.perf_counter()
    result = run()
    seconds = time.perf_counter() - start
    del result
    return seconds


def main() -> None:
    """Runs both in turns and prints the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--users", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    dtype = torch.float32 if options.dtype == "float32" else torch.bfloat16
    net = build(dtype)
    pairs = operands(net, options.users)
    vectors = torch.randn(options.users, 1, ENCODER, dtype=dtype)
    mask = torch.ones(options.users, 1, dtype=torch.bool)
    sides: dict[str, list[float]] = {"bare": [], "ours": []}
    with torch.inference_mode():
        for turn in range(options.rounds + 1):
            seconds = timed(lambda: bare(pairs)), timed(lambda: net(vectors, mask))
            if turn:  # the first is warm-up
                sides["bare"].append(seconds[0])
                sides["ours"].append(seconds[1])
    middle = {name: statistics.median(values) for name, values in sides.items()}
    for name, value in middle.items():
        print(f"{name:5} {value:8.3f} s  {1000 * value / options.users:8.2f} ms a user")
    print(
        f"ratio {middle['ours'] / middle['bare']:.3f} (target 1.15)  {options.dtype}, {options.users} users, "
        f"{options.threads} threads, torch {torch.__version__}"
    )


if __name__ == "__main__":
    main()
