"""The front door finds the layout, the split and the gold file."""

import gzip
import json

import pytest

from tailorlm.data.jsonl import read_users
from tailorlm.data.load import by_user, load, outputs_of, splits, stream
from tailorlm.data.problems import DataError, Report
from tailorlm.data.records import Dataset, Example, User

USER = {
    "user_id": "u",
    "history": [{"input": "a", "output": "b"}],
    "queries": [{"input": "c", "output": "d"}],
}
EVENT = {"user_id": "u", "input": "a", "output": "b"}
REDDIT = {"user_id": "u", "personality": {}, "question_asked": "q", "response": "r"}
TOPIC = {"author": "u", "input": "i", "summary": "s", "output": "o", "profile": []}
ABSTRACT = {"name": "u", "input": "i", "output": "o", "profile": []}
REVIEW = {"reviewerId": "u", "input": "i", "reviewText": "o", "profile": []}
LAMP = [{"id": "1", "input": "Generate a headline for the following article: x", "profile": []}]
EMPATHIC = "response_id\tarticle_id\tessay\nu\t1\tessay\n"


def write(path, *rows):
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize("end", ["", ".gz"])
@pytest.mark.parametrize(
    ("row", "task"),
    [
        (USER, None),
        (EVENT, None),
        (REDDIT, "personal_reddit"),
        (TOPIC, "longlamp_topic"),
        (ABSTRACT, "longlamp_abstract"),
        (REVIEW, "longlamp_review"),
    ],
)
def test_jsonl_is_told_by_its_first_telling_line(tmp_path, end, row, task):
    path = write(tmp_path / f"f.jsonl{end}", {"input": 1}, 5, row)
    report = Report()
    dataset = load(path, "skip", report)
    assert list(dataset.users) == ["u"] and report.count == 2
    assert {example.task for example in dataset.examples} <= {task}
    assert list(stream(path, "skip")) == list(by_user(dataset))


def test_lamp_files_with_and_without_outputs(tmp_path):
    path = write(tmp_path / "dev_questions.json", LAMP)
    assert load(path).examples[0].target is None
    outputs = write(
        tmp_path / "dev_outputs.json.gz", {"task": "LaMP_4", "golds": [{"id": "1", "output": "g"}]}
    )
    assert outputs_of(path) == outputs
    assert load(path).examples[0].target == "g"
    assert outputs_of(tmp_path / "f.json") is None


def test_tsv(tmp_path):
    path = tmp_path / "f.tsv"
    path.write_text(EMPATHIC)
    assert load(path).examples[0].task == "empathic"
    (tmp_path / "f.tsv.gz").write_bytes(gzip.compress(EMPATHIC.encode()))
    assert load(tmp_path / "f.tsv.gz") == load(path)


def test_a_folder_of_one_split_and_of_several(tmp_path):
    write(tmp_path / "train.jsonl", USER)
    (tmp_path / "README.md").write_text("x")
    (tmp_path / "a b.jsonl").write_text("not a split")
    assert list(load(tmp_path).users) == ["u"]
    write(tmp_path / "dev_questions.json", LAMP)
    write(tmp_path / "dev_outputs.json", {"golds": [{"id": "1", "output": "g"}]})
    assert sorted(splits(tmp_path)) == ["dev", "train"]
    assert load(tmp_path, split="dev").examples[0].target == "g"
    with pytest.raises(DataError, match="several splits, name one with --split: dev, train"):
        load(tmp_path)
    with pytest.raises(DataError, match="no split 'test'; there are: dev, train"):
        load(tmp_path, split="test")


def test_two_files_of_one_split_are_refused(tmp_path):
    write(tmp_path / "dev.jsonl", USER)
    write(tmp_path / "dev.jsonl.gz", USER)
    with pytest.raises(DataError, match=r"two files of split 'dev': dev.jsonl and dev.jsonl.gz"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["f.csv", "f", "f.parquet"])
def test_what_has_no_reader_is_refused(tmp_path, name):
    (tmp_path / name).write_text("x")
    with pytest.raises(DataError, match=r"not a \.jsonl, \.json or \.tsv"):
        load(tmp_path / name)


def test_nothing_there(tmp_path):
    with pytest.raises(DataError, match="a folder without"):
        load(tmp_path)
    assert splits(tmp_path / "f.jsonl") == {"f.jsonl": tmp_path / "f.jsonl"}
    with pytest.raises(DataError, match="too long"):
        list(read_users(tmp_path / f"{'x' * 300}.jsonl"))
    for name in ("f.jsonl", "f.json", "f.tsv"):
        with pytest.raises(DataError, match="no such file"):
            load(tmp_path / name)


def test_by_user_keeps_both_orders():
    users = {id: User(id, ()) for id in "ab"}
    examples = tuple(Example(f"{n}", id, None, "x", None) for n, id in enumerate("bab"))
    pairs = list(by_user(Dataset(users, examples)))
    assert [(user.id, [one.id for one in asked]) for user, asked in pairs] == [
        ("a", ["1"]),
        ("b", ["0", "2"]),
    ]
