"""Answers that are no label of their task are counted where users are read, and stop nobody else."""

from tailorlm.assembly.usable import watched
from tailorlm.data.problems import Report
from tailorlm.data.records import Example, Interaction, User
from tailorlm.tasks import lamp_2m, lamp_3


def notes(*pairs):
    report = Report()
    assert list(watched(pairs, report)) == list(pairs)  # nothing is left out
    return dict(report.notes)


def done(task, *answers):
    return User("u", tuple(Interaction("a film", answer, None, task) for answer in answers)), ()


def asked(task, *answers):
    said = {"lamp_2m": lamp_2m.INSTRUCTION, "lamp_3": lamp_3.INSTRUCTION}.get(task, "")
    return User("v", ()), tuple(Example(f"q{n}", "v", task, said, one, None) for n, one in enumerate(answers))


def test_odd_labels_are_counted_by_task():
    assert notes(done("lamp_2m", "comedy", " comedy ", "Comedy", "western")) == {
        "items of lamp_2m whose answer is none of its labels": 2
    }
    assert notes(asked("lamp_2m", "comedy", "comedy ", "western"), asked("lamp_3", "4.0", "6", "good")) == {
        "queries of lamp_2m whose answer cannot be scored": 1,
        "queries of lamp_3 whose answer cannot be scored": 2,
    }


def test_scores_in_other_spellings_free_text_and_negatives_of_others_are_no_news():
    assert notes(done("lamp_3", "5.0", " 5", "1"), done("headline", "News"), done(None, "x"), done("lamp_1", "")) == {}
    assert notes(done("lamp_3", "5.5", "five")) == {"items of lamp_3 whose answer is none of its labels": 2}
