"""Evolution side by side: within the box, seeded by the user, never below the start, the budget kept."""

import numpy as np
import pytest
import torch

from tailorlm.methods.evolution import SearchSettings, search

TARGET = torch.tensor([1.2, -0.7, 0.4])


def near(points):
    return -((points - TARGET) ** 2).sum(-1)


def counted(fitness, calls):
    def ask(points):
        calls.append(tuple(points.shape))
        return fitness(points)

    return ask


def test_a_longer_search_comes_closer_and_stays_in_the_box():
    seen = []

    def fitness(points):
        seen.append(points)
        return near(points)

    found = search(["a", "b"], 3, fitness, SearchSettings(budget=100, population=6), 0)
    assert (found.fitness > found.start + 1.5).all()
    assert torch.allclose(near(found.points.unsqueeze(1))[:, 0].double(), found.fitness)
    assert not seen[0].any()  # the start is the origin
    assert all((points.abs() <= 1.5).all() for points in seen)
    assert max(points.abs().max() for points in seen) > 1.0


def test_a_generation_of_all_users_is_one_call_and_the_budget_is_kept():
    calls = []
    search(["a", "b"], 3, counted(near, calls), SearchSettings(budget=12, population=5), 0)
    assert calls == [(2, 1, 3), (2, 5, 3), (2, 5, 3), (2, 2, 3)]


def test_users_search_by_themselves_whatever_numpys_stream():
    together = search(["a", "b", "c"], 3, near, SearchSettings(), 3)
    np.random.seed(5)
    alone = search(["b"], 3, near, SearchSettings(), 3)
    state = np.random.get_state()[1].copy()
    assert torch.equal(alone.points[0], together.points[1])
    assert not torch.equal(together.points[0], together.points[1])
    assert not torch.equal(search(["b"], 3, near, SearchSettings(), 4).points, alone.points)
    assert (np.random.get_state()[1] == state).all()


def test_company_with_another_fitness_changes_nothing():
    def other(points):
        values = near(points)
        values[1:] = -values[1:] if len(values) > 1 else values[1:]
        return values

    assert torch.equal(search(["a", "b"], 3, near, SearchSettings(), 0).points[0],
                       search(["a", "b"], 3, other, SearchSettings(), 0).points[0])  # fmt: skip


def test_where_nothing_is_strictly_better_it_is_the_start():
    flat = search(["a"], 3, lambda points: torch.ones(points.shape[:2]), SearchSettings(), 0)
    assert not flat.points.any() and torch.equal(flat.fitness, flat.start)
    worse = search(["a"], 3, lambda points: -points.abs().sum(-1), SearchSettings(), 0)
    assert not worse.points.any() and worse.fitness.tolist() == [0]


def test_one_dimension_searches_too():
    found = search(["a"], 1, lambda points: -((points[..., 0] - 1) ** 2), SearchSettings(budget=40), 0)
    assert found.points.shape == (1, 1) and abs(found.points.item() - 1) < 0.2


def test_nobody_searches_nothing():
    assert search([], 3, near, SearchSettings(), 0).points.shape == (0, 3)


@pytest.mark.parametrize("bad", [lambda p: torch.full(p.shape[:2], float("nan")), lambda p: torch.zeros(len(p))])
def test_a_fitness_that_is_no_number_is_refused(bad):
    with pytest.raises(ValueError, match="one finite number a point"):
        search(["a"], 3, bad, SearchSettings(), 0)


def test_wrong_settings_are_named():
    with pytest.raises(ValueError, match="population 1"):
        SearchSettings(population=1)
    with pytest.raises(ValueError, match="step 2.0"):
        SearchSettings(step=2.0)
