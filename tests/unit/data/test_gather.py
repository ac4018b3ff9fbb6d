"""Questions put together: held whole and a user at a time are the same, with the same problems."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tailorlm.data.gather import BY_HISTORY, Question, gather, id_of, in_turn
from tailorlm.data.load import by_user
from tailorlm.data.problems import DataError, Faults, Place
from tailorlm.data.records import Example, Interaction, User

CALM = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
HISTORIES = [(), (Interaction("a", "b", 1.0),), (Interaction("a", "b", 1.0), Interaction("c", "d", 2.0, "t"))]


@st.composite
def asked(draw: st.DrawFn) -> list[Question]:
    found = []
    for line in range(draw(st.integers(0, 8))):
        name, history = draw(st.sampled_from("abc")), draw(st.sampled_from(HISTORIES))
        user = User(name, history, draw(st.sampled_from([None, "p"])))
        example = Example(
            draw(st.sampled_from("123456789")), name, "t", "said", None, draw(st.sampled_from([None, 1.5, 9.0]))
        )
        found.append(Question(Place("f", line + 1), user, example))
    return found


@CALM
@given(found=asked())
def test_a_user_at_a_time_is_the_same_as_all_at_once(found: list[Question]) -> None:
    whole, turn = Faults("skip"), Faults("skip")
    dataset = gather(found, whole)
    assert list(in_turn(lambda faults: iter(found), turn)) == list(by_user(dataset))
    assert turn.report == whole.report


def test_problems_of_the_reading_are_counted_once_and_stop_before_the_first_user() -> None:
    question = Question(Place("f", 1), User("u", HISTORIES[1]), Example("1", "u", None, "said", None))
    times = []

    def read(faults: Faults) -> Iterator[Question]:
        times.append(1)
        yield question
        faults.add(Place("f", 2), "input", "missing")

    report = Faults("skip")
    assert [user.id for user, _ in in_turn(read, report)] == ["u"] and len(times) == 2
    assert report.report.count == 1
    users = in_turn(read, Faults("stop"))
    with pytest.raises(DataError, match="f, line 2, field input: missing"):
        next(users)


def test_an_id_by_history_is_of_all_that_the_history_holds() -> None:
    one = HISTORIES[2]
    changed = [
        (*one[:1], replace(one[1], **change))
        for change in ({"input": "x"}, {"output": "x"}, {"time": 3.0}, {"task": None})
    ]
    ids = {id_of(history) for history in (one, one[:1], one[::-1], *changed)}
    assert len(ids) == 7 and all(id is not None and id.startswith(BY_HISTORY) and len(id) == 32 for id in ids)
    assert id_of(tuple(replace(item) for item in one)) == id_of(one)
    assert id_of(()) is None
    assert id_of((Interaction("ab", "c"),)) != id_of((Interaction("a", "bc"),))
