"""The hypernetworks side by side on the demo's people: the additive one, the published trunk, and what lies between.

All begin at one MT-LoRA (but the last, which is as published), train on the same users for the same steps of 64 rows,
and answer the same unseen users, `random` and `ood`. Each has the learning rate that suits it best of those tried
(docs/log.md). This compares answers, not time. Memory: 2 GB; about 0.25 s a step on two cores.
Run: python benchmarks/networks.py [--steps 600] [--users 800] [--asked 100] [--only additive,L]
"""

import argparse
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from tailorlm.adapters.batch import Adapters
from tailorlm.assembly.runs import commit
from tailorlm.demo import settings
from tailorlm.demo.answering import answers
from tailorlm.demo.population import TASKS
from tailorlm.demo.world import World, make_bench, make_world
from tailorlm.evaluation.table import summary
from tailorlm.methods import mt_lora, p2p
from tailorlm.methods.source import Bench, shared_start

SPLITS = ("random", "ood")


def variants(seed: int, steps: int) -> dict[str, tuple[p2p.Settings, bool]]:
    """Name -> settings, and whether it begins at MT-LoRA."""
    ours = settings.tailored(seed, steps)
    slow = replace(ours.train, learning_rate=4e-4, warmup=0.2)
    wide = replace(ours.lora, alpha=8.0)
    return {
        "additive": (ours, True),
        "additive, sets": (replace(ours, net=p2p.NetSettings(pool="attention")), True),
        "L": (replace(ours, net=p2p.NetSettings(head="L", pool="facets"), train=slow, lora=wide), True),
        "L one vector": (
            replace(ours, net=p2p.NetSettings(head="L", pool="single"), train=slow, lora=wide,
                    cuts=replace(ours.cuts, scope="task")), True,
        ),
        "as published": (settings.published(seed, steps), False),
    }  # fmt: skip


def shared(bench: Bench, world: World, seed: int, folder: Path, alpha: float) -> Adapters:
    """MT-LoRA at a scale of `alpha`."""
    own = settings.shared(seed, 100)
    source = mt_lora.Source(bench, replace(own, lora=replace(own.lora, alpha=alpha)))
    source.prepare(world.users["train"], folder)
    adapters = source.enrol(world.users["train"][:1]).adapters
    assert adapters is not None
    return adapters


def scores(source: p2p.Source, bench: Bench, world: World) -> Mapping[str, Mapping[str, float]]:
    """Split -> task (and average) -> score."""
    tasks = TASKS if source.settings.cuts.scope == "task" else ()
    return {
        split: summary(answers(bench, source.injector, world.queries[split], source.enrol(world.users[split], tasks)))
        for split in SPLITS
    }


def main() -> None:
    """Trains and asks each network in turn, and prints a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--users", type=int, default=800)
    parser.add_argument("--asked", type=int, default=100, help="unseen users of each split")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="names of networks, with commas between")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        world = make_world(
            folder / "users", asked.seed, {"train": asked.users, "random": asked.asked, "ood": asked.asked}
        )
        bench = make_bench(world.users["train"], folder / "vectors")
        print(f"{asked.users} users, {asked.steps} steps, seed {asked.seed}, commit {commit()}")
        for title, (chosen, begins) in variants(asked.seed, asked.steps).items():
            if asked.only and title not in asked.only.split(","):
                continue
            place = folder / title.replace(" ", "_")
            start = shared_start(shared(bench, world, asked.seed, place / "mt", chosen.lora.alpha)) if begins else None
            source = p2p.Source(bench, chosen, start)
            source.prepare(world.users["train"], place / "p2p")
            found = scores(source, bench, world)
            said = "  ".join(f"{s} " + " ".join(f"{t} {100 * v:.1f}" for t, v in found[s].items()) for s in SPLITS)
            print(f"{title:14} {said}", flush=True)


if __name__ == "__main__":
    main()
