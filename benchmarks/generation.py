"""Adapters of many users at Qwen2.5-7B shapes: the hypernetwork against its own matmuls done bare.

Both are timed in turns in one process; the bare side calls torch.mm on the same shapes, in the same order,
with nothing between. Prints the ratio of the medians by the wall clock (target: at most 1.15), milliseconds a
user, and the ratio by processor time, which is the fairer one on a machine that others use.
Memory in float32: 0.9 GB of weights and 20 MB a user (both sides' outputs), half of it in bfloat16.
Run: python benchmarks/generation.py [--dtype float32|bfloat16] [--users 64] [--rounds 5] [--threads 2]
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from table import Row, show
from torch import Tensor

from tailorlm.adapters.lora import LoraSpace
from tailorlm.adapters.sites import Site
from tailorlm.hypernet.heads import HeadL
from tailorlm.hypernet.network import Hypernet
from tailorlm.hypernet.pool import Single

LAYERS, RANK, LATENT, HEAD_IN, ENCODER = 28, 8, 1024, 2048, 2560
SHAPES = (("q_proj", 3584, 3584), ("v_proj", 3584, 512))


def build(dtype: torch.dtype) -> Hypernet:
    """The published network at 7B, with head weights that are not zero (a denormal or zero may be faster)."""
    sites = [Site(f"layers.{n}.{m}", m, n, i, o) for n in range(LAYERS) for m, i, o in SHAPES]
    net = Hypernet(LoraSpace(tuple(sites), RANK), ENCODER, scaling=16 / RANK**0.5, latent=LATENT, head_in=HEAD_IN)
    with torch.no_grad():
        for head in net.heads:
            assert isinstance(head, HeadL)
            for weight in (head.weight_a, head.weight_b):
                weight.uniform_(-0.01, 0.01)
    return net.to(dtype).eval()


def operands(net: Hypernet, users: int) -> list[tuple[Tensor, Tensor]]:
    """(input, weight) of every matmul that the network does, inputs random."""
    assert isinstance(net.pool, Single)
    trunk, dtype, rows = net.trunk, net.trunk.depths.weight.dtype, users * len(net.space.sites)
    for_users, for_places = trunk.mixer.body.up.weight.split(LATENT // 2, dim=1)
    blocks = (trunk.first.body, trunk.second.body, trunk.last)
    heads = [head for head in net.heads if isinstance(head, HeadL)]
    sizes: list[tuple[int, Tensor]] = [
        (users, net.pool.linear.weight), (len(net.space.sites), for_places), (users, for_users),
        (rows, trunk.mixer.body.down.weight),
        *[(rows, linear.weight) for block in blocks for linear in (block.up, block.down)],
        *[(users * LAYERS, weight) for head in heads for weight in (head.weight_a, head.weight_b)],
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


def timed(run: Callable[[], object]) -> tuple[float, float]:
    """Seconds of one run, on the wall and of the processor; its result is freed after the clocks stop."""
    wall, processor = time.perf_counter(), time.process_time()
    result = run()
    seconds = time.perf_counter() - wall, time.process_time() - processor
    del result
    return seconds


def rows(sides: list[tuple[tuple[float, float], ...]], users: int) -> list[Row]:
    """A row for the bare products and one for ours, from their (wall, processor) seconds."""
    wall, processor = ([statistics.median(time[clock] for time in times) for times in sides] for clock in (0, 1))
    spent = [f"{1000 * seconds / users:.2f} ms a user" for seconds in wall]
    by_processor = f"; by processor time {processor[1] / processor[0]:.3f} x"
    return [
        ("bare matmuls", spent[0], 1.0, None),
        ("tailorlm", spent[1] + by_processor, wall[1] / wall[0], 1.15),
    ]


def main() -> None:
    """Runs both in turns and prints the table."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
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
    with torch.inference_mode():
        sides = (lambda: bare(pairs)), (lambda: net(vectors, mask))
        turns = [[timed(side) for side in sides] for _ in range(options.rounds + 1)]  # the first is warm-up
    print(f"generation at Qwen2.5-7B shapes: {options.users} users, rank {RANK}, torch {torch.__version__}")
    show(rows([column[1:] for column in zip(*turns, strict=True)], options.users), options.dtype, options.threads)


if __name__ == "__main__":
    main()
