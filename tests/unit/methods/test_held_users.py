"""Held-out evaluation and early stop: the best state comes back, nobody held is trained on, a resume is exact."""

from dataclasses import replace

import pytest
import torch

from tailorlm.backbone.loss import row_losses
from tailorlm.backbone.rows import collate
from tailorlm.data.records import Interaction
from tailorlm.methods import mt_lora, none, oppu, p2p
from tailorlm.methods.batches import BatchSettings, all_items
from tailorlm.methods.held import LOSS, ROWS, UNKNOWN, check_monitor, held_batches
from tailorlm.methods.objectives import LossSettings
from tailorlm.training.curve import read_curve
from tailorlm.training.settings import TrainSettings

# A rate that spoils: later evaluations are worse than the best.
TRAIN = TrainSettings(
    steps=6, learning_rate=0.3, warmup=0.0, decay="constant", clip=0.0, evaluate_every=1, save_every=1,
    monitor=LOSS, mode="min", line_seconds=1e9,
)  # fmt: skip
LOSSES = LossSettings(smoothing=0.0, neftune=1.0, l2=0.0, dropout=0.1)


def shared(bench, **changes):
    settings = mt_lora.Settings(loss=LOSSES, batch=BatchSettings(users=4), train=replace(TRAIN, **changes))
    return mt_lora.Source(bench, settings)


def profiled(bench, **changes):
    settings = p2p.Settings(
        net=p2p.NetSettings(components=3), cuts=p2p.CutSettings(count=1), loss=LOSSES, batch=BatchSettings(users=4),
        train=replace(TRAIN, **changes),
    )  # fmt: skip
    return p2p.Source(bench, settings)


def state(source):
    module = source.shared if isinstance(source, mt_lora.Source) else source.hypernet
    return {name: value.clone() for name, value in module.state_dict().items()}


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def evaluated(source, held):
    return (
        source.evaluation(held) if isinstance(source, mt_lora.Source) else source.evaluation(source.hypernet, held)
    )()


def lines(directory, name):
    return [{key: value for key, value in line.items() if key != "seconds"} for line in read_curve(directory / name)]


@pytest.fixture(params=[shared, profiled], ids=["mt_lora", "p2p"])
def make(request, bench):
    return lambda **changes: request.param(bench, **changes)


def test_patience_ends_the_run_and_the_best_state_comes_back(make, people, tmp_path):
    source = make(steps=40, patience=2)
    source.prepare(people[:4], tmp_path / "run", held=people[4:])
    losses = [line[LOSS] for line in lines(tmp_path / "run", "evaluations.jsonl")]
    best = min(losses)
    assert len(losses) == losses.index(best) + 3 < 40
    assert evaluated(source, people[4:])[LOSS] == pytest.approx(best, abs=1e-6)
    assert losses[-1] > best + 1e-3, "the last state is another one"


def test_held_users_are_never_trained_on(make, people, tmp_path, monkeypatch):
    trained = []
    for module in (mt_lora, p2p):
        plain = module.batches

        def recorded(bench, rows, *given, plain=plain):
            trained.extend(row.id for row in rows.rows)
            return plain(bench, rows, *given)

        monkeypatch.setattr(module, "batches", recorded)
    changed = [replace(user, history=user.history[:3]) for user in people[4:]]
    states = []
    for number, held in enumerate((people[4:], changed, ())):
        source = make(**({"monitor": "", "steps": 3}))
        source.prepare(people[:4], tmp_path / str(number), held=held)
        states.append(state(source))
    assert {name.rpartition("@")[0] for name in trained} == {user.id for user in people[:4]}
    assert equal(states[0], states[1]) and equal(states[0], states[2])


def test_a_run_stopped_in_an_evaluation_resumes_to_the_same_numbers(make, people, tmp_path, monkeypatch):
    straight = make()
    straight.prepare(people[:4], tmp_path / "straight", held=people[4:])
    calls = []
    for module in (mt_lora, p2p):
        plain = module.held_loss

        def stopping(*given, plain=plain):
            calls.append(1)
            if len(calls) == 3:
                raise KeyboardInterrupt
            return plain(*given)

        monkeypatch.setattr(module, "held_loss", stopping)
    with pytest.raises(KeyboardInterrupt):
        make().prepare(people[:4], tmp_path / "run", held=people[4:])
    again = make()
    again.prepare(people[:4], tmp_path / "run", resume=True, held=people[4:])
    for name in ("curve.jsonl", "evaluations.jsonl"):
        assert lines(tmp_path / "run", name) == lines(tmp_path / "straight", name)
    assert equal(state(again), state(straight))


def test_each_held_row_is_judged_under_its_own_users_adapter(bench, people, tmp_path):
    source = profiled(bench, steps=3, monitor="")
    source.prepare(people[:4], tmp_path / "run")
    held = people[4:]
    told = source.examples(held)
    asked = held_batches(bench, told.rows, told.owners, TRAIN.seed)
    adapters = source.enrol_profiles(told.profiles).adapters
    by_id = {(row.id, owner): row for row, owner in zip(told.rows.rows, told.owners, strict=True)}
    losses = []
    for batch in asked:
        for name, owner in zip(batch.ids, batch.index.tolist(), strict=True):
            one = collate([by_id[name, owner]], bench.backbone.pad_id, [0])
            with torch.no_grad(), source.injector(adapters[owner], torch.tensor([0])):
                losses.append(row_losses(bench.backbone, one))
    assert evaluated(source, held)[LOSS] == pytest.approx(float(torch.cat(losses).mean()), abs=1e-5)


def test_statements_that_only_held_users_have_are_counted(bench, people, tmp_path):
    source = profiled(bench, steps=2, monitor="")
    only = [replace(u, history=tuple(i for i in u.history if i.task == "rating")) for u in people[:4]]
    source.prepare(only, tmp_path / "run", held=people[4:])
    assert lines(tmp_path / "run", "evaluations.jsonl")[-1][UNKNOWN] > 0
    assert evaluated(source, only)[UNKNOWN] == 0


def test_what_a_held_user_is_asked_is_bounded_and_does_not_depend_on_company(bench, people):
    def asked(users):
        rows = all_items(bench, users)
        return {name for batch in held_batches(bench, rows, rows.cut, 0) for name in batch.ids}

    everybody = asked(people)
    assert len(everybody) == ROWS * len(people)
    assert asked(people[:1]) == {name for name in everybody if name.startswith(f"{people[0].id}@")}
    with pytest.raises(ValueError, match="data.validation: the users kept for it have no item"):
        asked([replace(people[0], history=())])
    short = replace(people[0], history=(Interaction("a", "b", None, "plain"),))
    assert len(asked([short])) == 1


def test_a_loss_cannot_be_best_when_largest(bench, people, tmp_path):
    with pytest.raises(ValueError, match='train.monitor is "held_loss", a loss: set train.mode to "min"'):
        shared(bench, mode="max").prepare(people[:4], tmp_path / "run", held=people[4:])
    check_monitor(TrainSettings(monitor="", mode="max"))


def test_without_held_users_a_monitor_is_refused(make, people, tmp_path):
    with pytest.raises(ValueError, match="nothing that evaluates"):
        make().prepare(people[:4], tmp_path / "run")


def test_methods_that_train_nothing_shared_take_held_users_and_ignore_them(bench, people, tmp_path):
    for source in (none.Source(bench, none.Settings()), oppu.Source(bench, oppu.Settings())):
        source.prepare(people[:4], tmp_path, held=people[4:])
    assert not list(tmp_path.iterdir())
