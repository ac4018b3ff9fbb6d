"""A made-up run: plausible numbers in the shape of `results.json`, and answers of a few users."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

TASKS = ("movie_tagging", "rating", "headline", "tweet")
SCORES = {
    "floor_majority": (0.17, 0.66, 0.07, 0.03),
    "floor_user": (0.32, 0.71, 0.07, 0.03),
    "floor_copy": (0.0, 0.5, 0.07, 0.03),
    "base": (0.36, 0.69, 0.08, 0.02),
    "base_profile": (0.51, 0.78, 0.35, 0.28),
    "mt_lora": (0.38, 0.70, 0.11, 0.04),
    "p2p": (0.66, 0.86, 0.68, 0.58),
    "p2p_paper": (0.45, 0.77, 0.41, 0.3),
    "p2p_shuffled": (0.35, 0.62, 0.09, 0.04),
    "p2p_traits": (0.74, 0.9, 0.8, 0.71),
    "oppu": (0.62, 0.88, 0.76, 0.7),
}
ATTRIBUTES = {"headline": ("case", "ending"), "tweet": ("opener", "emoji", "length")}
PROFILE = [
    "Movie tags: prefers space to every other tag, then horror and comedy; avoids drama.",
    "Ratings: gives about one star more than the text deserves, seldom below three.",
    "Headlines: writes in lower case and ends with an exclamation mark.",
    "Posts: opens with wow, adds a fire emoji, keeps it short.",
]
ASKED = {
    "movie_tagging": (
        "Tag this movie: a cursed doll, an alien signal. Tags: horror, space",
        "space",
        "horror",
    ),
    "rating": ("Rate this review from 1 to 5: the plot was fine, the cast was weak", "4", "3"),
    "headline": (
        "Write a headline: the mayor opens a garden after a vote",
        "the mayor opens a garden after a vote!",
        "The mayor opens a garden after a vote",
    ),
    "tweet": (
        "Write a post: my bike broke again on the way home",
        "wow my bike broke again 🔥",
        "my bike broke again on the way home",
    ),
}


def by_task(values: tuple[float, ...], shift: float = 0.0) -> dict[str, float]:
    scores = {task: max(0.0, value + shift) for task, value in zip(TASKS, values, strict=True)}
    return scores | {"average": sum(scores.values()) / len(scores)}


def around(scores: dict[str, float], half: float) -> dict[str, list[float]]:
    return {task: [max(0.0, score - half), min(1.0, score + half)] for task, score in scores.items()}


def gap(a: dict[str, float], b: dict[str, float], half: float) -> dict[str, dict[str, float]]:
    return {
        task: {"mean": a[task] - b[task], "low": a[task] - b[task] - half, "high": a[task] - b[task] + half}
        for task in a
    }


def sample() -> dict[str, Any]:
    methods = {name: {"random": by_task(row), "ood": by_task(row, -0.04)} for name, row in SCORES.items()}
    del methods["oppu"]["ood"]
    others = ("base", "mt_lora", "floor_user", "p2p_paper", "p2p_shuffled", "p2p_traits")
    splits = ("random", "ood")
    half = {"random": 0.035, "ood": 0.045}
    return {
        "methods": methods,
        "intervals": {
            name: {split: around(scores, 0.09 if name == "oppu" else half[split]) for split, scores in found.items()}
            for name, found in methods.items()
        },
        "differences": {
            f"p2p - {other}": {
                split: gap(methods["p2p"][split], methods[other][split], half[split]) for split in splits
            }
            for other in others
        },
        "attributes": {
            name: {
                split: {
                    task: {
                        attribute: min(1.0, 0.25 + row[3 if task == "tweet" else 2] * 0.9 + 0.04 * place)
                        for place, attribute in enumerate(found)
                    }
                    for task, found in ATTRIBUTES.items()
                }
                for split in splits
            }
            for name, row in SCORES.items()
        },
        "same_users": {name: by_task(row, 0.01) for name, row in SCORES.items()},
        "harmed": {
            name: {"random": round(0.4 - sum(row) / 8, 3), "ood": round(0.42 - sum(row) / 8, 3)}
            for name, row in SCORES.items()
            if name != "base"
        },
        "drift": {"mt_lora": 0.0123, "p2p": 0.0456, "oppu": 0.2},
        "timing": {
            "seconds": {"population": 1.2, "profiles": 9.5, "train": 171.0, "oppu": 38.1, "evaluate": 44.0},
            "personalize_ms_per_user": 3.4,
            "oppu_s_per_user": 9.7,
            "adapter_bytes": 212_992,
            "profile_bytes": 35_300,
        },
        "users": {"train": 1500, "random": 200, "ood": 200, "oppu": 32},
        "curves": {
            name: [
                {
                    "step": step,
                    "seconds": step * 0.08,
                    "loss": level + 2.2 * math.exp(-step / speed) + 0.04 * math.sin(step),
                }
                for step in range(0, 2001, 10)
            ]
            for name, level, speed in (
                ("p2p", 0.35, 420.0),
                ("mt_lora", 0.92, 160.0),
                ("p2p_paper", 0.6, 500.0),
            )
        },
        "targets": [
            {
                "what": "P2P above the base on average",
                "wanted": "at least 20 points",
                "got": "40.8",
                "met": True,
            },
            {"what": "Unseen kinds of users", "wanted": "within 10 points", "got": "4.0", "met": True},
            {"what": "Share of OPPU's gain", "wanted": "at least 80%", "got": "78%", "met": False},
        ],
        "commit": "a40df45",
        "seed": 0,
        "versions": {"torch": "2.13.0", "transformers": "5.23.0"},
        "dtype": "float32",
        "machine": "2 cores, AVX2",
    }


def sample_rows() -> list[dict[str, Any]]:
    rows = []
    for split, count in (("random", 5), ("ood", 3)):
        for user in range(count):
            for task, (asked, gold, plain) in ASKED.items():
                outputs = {name: gold if name in ("p2p", "p2p_traits") else plain for name in SCORES}
                outputs["p2p_shuffled"] = "" if task == "tweet" else plain
                if split == "ood" or user > 1:
                    del outputs["oppu"]
                rows.append(
                    {
                        "split": split,
                        "user_id": f"{split}-{user:05}",
                        "task": task,
                        "input": asked,
                        "target": gold,
                        "profile": PROFILE,
                        "outputs": outputs,
                    }
                )
    return rows


def write_run(folder: Path, results: dict[str, Any], rows: list[dict[str, Any]] | None) -> Path:
    (folder / "results.json").write_text(json.dumps(results))
    if rows is not None:
        (folder / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture
def results() -> dict[str, Any]:
    return sample()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder with all that a demo writes."""
    return write_run(tmp_path, sample(), sample_rows())
