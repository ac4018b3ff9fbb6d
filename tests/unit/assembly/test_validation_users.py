"""Users kept for evaluation while training: from the training users only, seeded, and said where a recipe asks."""

import json
from pathlib import Path

import pytest

from tailorlm.assembly import build
from tailorlm.assembly.datasets import dev_users, training_users, validation_users
from tailorlm.assembly.recipes import DataSettings, read, resolve
from tailorlm.data.records import Interaction, User
from tailorlm.training.curve import read_curve

EARLY = [
    "data.validation=0.3", "methods.p2p.train.evaluate_every=1", 'methods.p2p.train.monitor="held_loss"',
    'methods.p2p.train.mode="min"', "methods.p2p.train.patience=3",
]  # fmt: skip


def users(count: int) -> list[User]:
    return [User(f"u{n}", (Interaction("a", "b"),)) for n in range(count)]


def test_a_seeded_share_of_the_training_users() -> None:
    everybody = users(20)
    train, held = validation_users(everybody, 0.25, 0)
    assert len(held) == 5 and {u.id for u in train} | {u.id for u in held} == {u.id for u in everybody}
    assert validation_users(everybody, 0.25, 0) == (train, held) != validation_users(everybody, 0.25, 1)
    assert validation_users(everybody, 0, 0) == (everybody, [])


@pytest.mark.parametrize("given", [users(1), [*users(1), User("empty", ())]])
def test_a_side_without_a_history_is_an_error(given: list[User]) -> None:
    with pytest.raises(ValueError, match="data.validation is 0.5: of .* one side has no history"):
        validation_users(given, 0.5, 0)


def test_dev_users_are_never_among_them(tiny_users: Path) -> None:
    settings = DataSettings(root=str(tiny_users), holdout=0.3, validation=0.3)
    train, held = validation_users(training_users(settings, 0)[0], settings.validation, 0)
    dev = {user.id for user in dev_users(settings, 0).dev}
    assert len(train) == 5 and len(held) == 2 and len(dev) == 3
    assert not dev & {user.id for user in (*train, *held)}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"train": {"monitor": "held_loss", "mode": "min"}}, "monitor 'held_loss' and evaluate_every 0, and data.vali"),
        ({"train": {"evaluate_every": 5}}, "methods.mt_lora.train has .* data.validation is 0: set it"),
        ({"train": {"monitor": "held_loss"}}, 'methods.mt_lora.train.monitor is "held_loss", a loss: set train.mode'),
    ],
)
def test_what_cannot_be_evaluated_is_refused_with_the_recipe(changes: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        resolve({"base": {"name": "x"}, "methods": {"mt_lora": changes}})


def test_a_share_is_a_share() -> None:
    with pytest.raises(ValueError, match="data.validation is 1.0; expected 0"):
        resolve({"base": {"name": "x"}, "data": {"validation": 1}})


def test_a_recipe_reaches_evaluation_and_early_stop(tiny_recipe: Path, tmp_path: Path) -> None:
    recipe = read(tiny_recipe, EARLY)
    build.train(recipe, tmp_path / "run")
    found = json.loads((tmp_path / "run" / "run.json").read_text())
    assert found["training_users"] == 5 and found["validation_users"] == 2
    for name, often in (("p2p", 1), ("mt_lora", 3)):
        seen = read_curve(tmp_path / "run" / name / "evaluations.jsonl")
        assert seen[0]["step"] == often and all("held_loss" in line for line in seen)
    assert (tmp_path / "run" / "p2p" / "best.pt").exists()


def test_what_profiles_learn_is_learned_without_the_held_users(
    tiny_recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, learned = build.learn, []
    monkeypatch.setattr(build, "learn", lambda settings, users: learned.extend(users) or plain(settings, users))
    built = build.assemble(read(tiny_recipe, EARLY))
    assert learned == built.users and len(built.held) == 2
    assert not {user.id for user in built.users} & {user.id for user in built.held}
