"""LaMP's files: each task's fields, golds joined by id, users, and what is a problem."""

import gzip
import json

import pytest

from tailorlm.data import arrays, lamp
from tailorlm.data.lamp import FORMS, read_lamp
from tailorlm.data.problems import DataError, Report
from tailorlm.data.records import Interaction

ITEMS = {
    "lamp_1": ({"title": "T", "abstract": "A"}, ("A", "T")),
    "lamp_2m": ({"description": "D", "tag": "comedy"}, ("D", "comedy")),
    "lamp_2n": ({"text": "X", "title": "T", "category": "sports"}, ("Title: T\nText: X", "sports")),
    "lamp_3": ({"text": "X", "score": "5"}, ("X", "5")),
    "lamp_4": ({"title": "T", "text": "X"}, ("X", "T")),
    "lamp_5": ({"title": "T", "abstract": "A"}, ("A", "T")),
    "lamp_6": ({"title": "T", "text": "X"}, ("X", "T")),
    "lamp_7": ({"text": "X"}, ("", "X")),
}


def question(id="1", task="lamp_4", items=None, **more):
    profile = [{"id": "9", **ITEMS[task][0]}] if items is None else items
    return {"id": id, "input": FORMS[task].opening + ": secret zebra", "profile": profile} | more


def write(folder, questions, golds=None, task="LaMP_4"):
    path = folder / "dev_questions.json"
    path.write_text(questions if isinstance(questions, str) else json.dumps(questions))
    if golds is None:
        return path, None
    outputs = folder / "dev_outputs.json"
    outputs.write_text(json.dumps({"task": task, "golds": golds}))
    return path, outputs


def skipped(*paths, **more):
    report = Report()
    return read_lamp(*paths, on_error="skip", report=report, **more), report


@pytest.mark.parametrize("task", ITEMS)
def test_every_task_is_told_and_its_fields_mapped(tmp_path, task):
    official = task.upper().replace("LAMP", "LaMP")
    paths = write(tmp_path, [question(task=task)], [{"id": "1", "output": "gold"}], official)
    dataset = read_lamp(*paths)
    [example] = dataset.examples
    assert dataset.users[example.user_id].history == (Interaction(*ITEMS[task][1], None, task),)
    assert (example.task, example.target) == (task, "gold")
    assert example.input == FORMS[task].opening + ": secret zebra"


def test_lamp_2_is_the_official_name_of_both(tmp_path):
    for task in ("lamp_2m", "lamp_2n"):
        paths = write(tmp_path, [question(task=task)], [{"id": "1", "output": "g"}], "LaMP_2")
        assert read_lamp(*paths).examples[0].task == task


def test_questions_share_a_user_and_dates_are_times(tmp_path):
    items = [
        {"title": "a", "text": "b", "date": "2014-01-01"},
        {"title": "c", "text": "d", "date": "2014-01-02"},
    ]
    asked = [question(str(n), items=items, user_id="u", date="2014-01-02") for n in range(2)]
    dataset = read_lamp(write(tmp_path, asked)[0])
    assert list(dataset.users) == ["u"]
    assert [example.id for example in dataset.examples] == ["0", "1"]
    assert [example.target for example in dataset.examples] == [None, None]
    last = dataset.users["u"].history[-1].time
    assert dataset.users["u"].history[0].time == 1388534400.0
    assert dataset.examples[0].time > last


def test_numbers_for_ids_and_scores(tmp_path):
    items = [{"text": "x", "score": 4}, {"text": "y", "score": 3.0}]
    paths = write(tmp_path, [question(7, "lamp_3", items, user_id=8)], [{"id": 7, "output": 5}], "LaMP_3")
    dataset = read_lamp(*paths)
    assert [item.output for item in dataset.users["8"].history] == ["4", "3"]
    assert (dataset.examples[0].id, dataset.examples[0].target) == ("7", "5")


def test_gzip_and_bom(tmp_path):
    path = tmp_path / "dev_questions.json.gz"
    path.write_bytes(gzip.compress(b"\xef\xbb\xbf" + json.dumps([question()]).encode()))
    assert read_lamp(path).examples[0].id == "1"


def test_without_user_ids_the_history_names_the_user_whatever_its_items_ids_are(tmp_path):
    one, other = [{"id": "10", "text": "a", "title": "b"}], [{"id": "10", "text": "a", "title": "c"}]
    again = [{"id": "20", "text": "a", "title": "b"}]
    asked = [question("1", items=one), question("2", items=other), question("3", items=again)]
    dataset = read_lamp(write(tmp_path, asked)[0])
    first, second, third = (example.user_id for example in dataset.examples)
    assert first == third != second and len(dataset.users) == 2
    assert first.startswith("history:") and len(first) == 32
    later = read_lamp(write(tmp_path, [question("9", items=again)])[0])
    assert list(later.users) == [first]  # the same in another file: a user in train and dev is found


def test_questions_without_a_history_are_users_of_their_own(tmp_path):
    dataset = read_lamp(write(tmp_path, [question("1", items=[]), question("2", items=[])])[0])
    assert list(dataset.users) == ["1", "2"]


def test_news_without_titles_are_read(tmp_path):
    items = [{"text": "x", "category": "sports"}, {"text": "y", "title": None, "category": "crime"}]
    dataset = read_lamp(write(tmp_path, [question(task="lamp_2n", items=items)])[0])
    [user] = dataset.users.values()
    assert [item.input for item in user.history] == ["x", "y"]


def test_an_empty_profile_is_an_empty_history(tmp_path):
    assert read_lamp(write(tmp_path, [question(items=[])])[0]).users["1"].history == ()


@pytest.mark.parametrize(
    ("bad", "field", "reason"),
    [
        (5, "", "expected an object"),
        (question(float("nan")), "id", "found a number"),
        (question(10**15), "id", "found a number"),
        (question() | {"id": None}, "id", "expected text, found null"),
        (question(True), "id", "found true or false"),
        ({"id": "1", "profile": []}, "input", "missing"),
        (question() | {"input": 5}, "input", "found a number"),
        (question() | {"input": "a\0"}, "input", "NUL"),
        ({"id": "1", "input": "a"}, "profile", "missing"),
        (question(items="x"), "profile", "expected a list"),
        (question(items=["x"]), "profile[0]", "expected an object"),
        (question(items=[{"text": "x"}]), "profile[0].title", "missing"),
        (question(items=[{"text": [1], "title": "x"}]), "profile[0].text", "found a list"),
        (question(items=[{"text": "", "title": ""}]), "profile[0].title", "nothing in it"),
        (question(items=[{"text": "a", "title": "b", "date": "x"}]), "profile[0].date", "YYYY-MM-DD"),
        (question(date="2014"), "date", "YYYY-MM-DD"),
        (question(user_id="a\n"), "user_id", "print"),
        (
            question(items=[{"text": "a", "title": "b", "date": "2014-01-02"}], date="2014-01-01"),
            "date",
            "future",
        ),
        (question("2"), "id", "2 already stands"),
        (question(user_id="u", items=[]), "profile", "not the history of the user's first question"),
    ],
)
def test_a_problem_is_named_and_the_good_questions_stay(tmp_path, bad, field, reason):
    path, _ = write(tmp_path, [question("2", user_id="u"), bad, question("3", user_id="u")])
    with pytest.raises(DataError) as caught:
        read_lamp(path, task="lamp_4")
    problem = caught.value.problem
    assert (problem.file, problem.line, problem.unit, problem.field) == (str(path), 2, "item", field)
    assert reason in problem.reason and "zebra" not in str(problem)
    dataset, report = skipped(path)
    assert {"2", "3"} <= {example.id for example in dataset.examples}
    assert report.problems == [problem]


def test_golds_are_joined_by_id_and_every_mismatch_names_it(tmp_path):
    asked = [question(str(n)) for n in range(3)]
    golds = [
        {"id": "1", "output": "one"},
        {"id": "0", "output": "zero"},
        {"id": "1", "output": "again"},
        {"id": "8", "output": "lost"},
        {"output": "x"},
        {"id": "2"},
        7,
    ]
    paths = write(tmp_path, asked, golds)
    dataset, report = skipped(*paths)
    assert {example.id: example.target for example in dataset.examples} == {"0": "zero", "1": "one"}
    said = [f"{one.unit} {one.line} {one.field}: {one.reason}" for one in report.problems]
    assert said == [
        "item 3 id: a second gold for 1",
        "item 5 id: missing",
        "item 6 output: missing",
        "item 7 golds: expected an object, found a number",
        "item 3 id: no gold for 2 in the outputs file",
        "item 4 id: the gold 8 has no question",
    ]


def test_a_bad_question_does_not_make_its_gold_a_problem(tmp_path):
    paths = write(tmp_path, [question("1", date="x"), question("2")], [{"id": n, "output": "a"} for n in "12"])
    assert skipped(*paths)[1].count == 1


def test_the_outputs_of_another_task_are_a_problem(tmp_path):
    paths = write(tmp_path, [question()], [{"id": "1", "output": "a"}], "LaMP_5")
    with pytest.raises(DataError, match="not the task of the questions, which is lamp_4"):
        read_lamp(*paths)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "not JSON"),
        ("[{", "not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ('[{"id": "1"', "not JSON"),
        ('[{"id": "1"}', "ends in the middle"),
        ('[{"id": "1"} {"id": "2"}]', "a comma"),
        ('[{"id": "1"}], []', "after the end"),
        ('[{"id": "1", "input": tru}, {"id": "2", "input": "secret zebra"}]', "not JSON: Expecting value"),
        ("{}", "expected a JSON array"),
        ("[]", "an empty array"),
        ('[{"id": "1", "input": "secret zebra", "profile": []}]', "no input opens as one of"),
    ],
)
def test_a_document_that_cannot_be_used_raises_even_under_skip(tmp_path, content, reason):
    path, _ = write(tmp_path, content)
    with pytest.raises(DataError, match=reason) as caught:
        skipped(path)
    assert "zebra" not in str(caught.value)


def test_documents_that_are_damaged_or_too_big_raise(tmp_path, monkeypatch):
    path = tmp_path / "dev_questions.json.gz"
    path.write_bytes(gzip.compress(json.dumps([question()]).encode())[:-12])
    with pytest.raises(DataError, match="damaged"):
        skipped(path)
    path.write_bytes(gzip.compress(b"\xff\xff"))
    with pytest.raises(DataError, match="not UTF-8"):
        skipped(path)
    path.write_bytes(gzip.compress(json.dumps([question(text="x" * 2**20)]).encode()))
    assert skipped(path)[0].examples
    monkeypatch.setattr(arrays, "MAX_ELEMENT", 1000)
    with pytest.raises(DataError, match="longer than 1000 characters"):
        skipped(path)
    (tmp_path / "dev_questions.json").write_text(json.dumps([question()]))
    monkeypatch.setattr(lamp, "MAX_FILE", 10)
    with pytest.raises(DataError, match="more than 10 bytes"):
        skipped(tmp_path / "dev_questions.json", path)
    with pytest.raises(DataError, match="no such file"):
        skipped(tmp_path / "none.json")


def test_outputs_with_a_key_twice_raise(tmp_path):
    path, outputs = write(tmp_path, [question()], [])
    outputs.write_text('{"golds": [], "golds": []}')
    with pytest.raises(DataError, match="a key stands twice"):
        skipped(path, outputs)


def test_outputs_without_golds_raise(tmp_path):
    path, outputs = write(tmp_path, [question()], [])
    outputs.write_text("[]")
    with pytest.raises(DataError, match="golds"):
        skipped(path, outputs)


def test_an_unknown_task_is_a_value_error(tmp_path):
    with pytest.raises(ValueError, match="lamp_2m"):
        read_lamp(write(tmp_path, [question()])[0], task="lamp_2")
