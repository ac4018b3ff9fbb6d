"""Passes: every example once a pass, in another order each time, continued exactly."""

import numpy as np
import pytest

from tailorlm.training.passes import Passes, steps


def test_every_example_comes_once_a_pass_in_another_order() -> None:
    stream = Passes(10, 4, seed=3)
    made = [[next(stream) for _ in range(steps(1, 10, 4))] for _ in range(2)]
    assert [[len(batch) for batch in one] for one in made] == [[4, 4, 2], [4, 4, 2]]
    first, second = (np.concatenate(one) for one in made)
    assert sorted(first) == sorted(second) == list(range(10)) and list(first) != list(second)
    again = Passes(10, 4, seed=3)
    assert all((next(again) == batch).all() for one in made for batch in one)
    assert list(next(Passes(10, 4, seed=4))) != list(made[0][0])


def test_a_stream_goes_on_where_it_was() -> None:
    stream, other = Passes(7, 2), Passes(7, 2)
    for _ in range(5):
        next(stream)
    other.load_state_dict(stream.state_dict())
    assert all((next(stream) == next(other)).all() for _ in range(9)) and iter(other) is other
    with pytest.raises(ValueError, match=r"is of \[7, 2, 0\] \(examples, batch, seed\), and there are \[8, 2, 0\]"):
        Passes(8, 2).load_state_dict(stream.state_dict())


@pytest.mark.parametrize(("examples", "batch"), [(0, 1), (1, 0)])
def test_nothing_makes_no_stream(examples: int, batch: int) -> None:
    with pytest.raises(ValueError, match="expected at least 1 of each"):
        Passes(examples, batch)


def test_steps_are_those_of_the_papers_table() -> None:
    assert steps(3, 50, 6) == 27 and steps(3, 2810, 6) == 1407  # PRISP: 50 rows, and all of LaMP-2's, in batches of 6
