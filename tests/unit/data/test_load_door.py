"""The front door finds the layout, the split and the gold file."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tailorlm.data.folders import outputs_of, splits
from tailorlm.data.jsonl import read_users
from tailorlm.data.load import by_user, load, stream
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
    outputs = write(tmp_path / "dev_outputs.json.gz", {"task": "LaMP_4", "golds": [{"id": "1", "output": "g"}]})
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


@pytest.mark.parametrize("name", ["f.csv", "f", "f.parquet.gz"])
def test_what_has_no_reader_is_refused(tmp_path, name):
    (tmp_path / name).write_text("x")
    with pytest.raises(DataError, match=r"not a \.jsonl, \.json, \.tsv .* or \.parquet file"):
        load(tmp_path / name)


HUB = [
    (ABSTRACT | {"profile": [{"id": "1", "title": "t", "abstract": "a", "year": 2021}]}, "longlamp_abstract", "t"),
    (
        {"author": "u", "input": "Generate the content for a reddit post x", "output": "o",
         "profile": [{"author": "u", "content": "c", "id": "1", "summary": "s"}]},
        "longlamp_topic", "Generate the content for a reddit post s",
    ),
    (
        {"reviewerId": "u", "input": "i", "output": "o",
         "profile": [{"description": "d", "overall": "5.0", "reviewText": "r", "summary": "s"}]},
        "longlamp_review",
        'Generate the review text written by a reviewer who has given an overall rating of "5.0" for a product with '
        'description "d". The summary of the review text is "s".',
    ),
]  # fmt: skip
"""A row of each task in the hub's columns, its task, and what its history item is asked with."""


@pytest.mark.parametrize("end", ["parquet", "json", "json.gz", "jsonl", "lines"])
@pytest.mark.parametrize(("row", "task", "said"), HUB)
def test_longlamp_as_on_the_hub(tmp_path, end, row, task, said):
    path = tmp_path / f"val.{end.replace('lines', 'json')}"
    if end == "parquet":
        pq.write_table(pa.Table.from_pylist([row]), path)
    elif end in ("jsonl", "lines"):
        write(path, row)
    else:
        write(path, [row])
    dataset = load(tmp_path)
    [example] = dataset.examples
    assert (example.task, example.input, example.target, example.user_id) == (task, row["input"], "o", "u")
    assert dataset.users["u"].history[0].input == said
    assert list(stream(path)) == list(by_user(dataset)) == list(by_user(load(path)))


def shard(path, name, *users):
    pq.write_table(pa.Table.from_pylist([HUB[0][0] | {"name": user} for user in users]), path / name)


def test_shards_are_one_split_and_none_may_be_missing(tmp_path):
    for n, users in enumerate(["ab", "c", "d"]):
        shard(tmp_path, f"train-0000{n}-of-00003.parquet", *users)
    shard(tmp_path, "val-00000-of-00001.parquet", "e")
    assert list(load(tmp_path, split="train").users) == list("abcd")
    assert list(load(tmp_path / "train-00001-of-00003.parquet").users) == ["c"]
    (tmp_path / "train-00001-of-00003.parquet").unlink()
    with pytest.raises(DataError, match="shards of split 'train' are missing, or too many: 00001"):
        load(tmp_path, split="val")
    shard(tmp_path, "train-00001-of-00004.parquet", "c")
    with pytest.raises(DataError, match="two files of split 'train'"):
        load(tmp_path, split="val")


def test_the_hubs_converted_copies_are_shards_of_the_folder(tmp_path):
    folder = tmp_path / "test"
    folder.mkdir()
    for n, users in enumerate(["ab", "c"]):
        shard(folder, f"000{n}.parquet", *users)
    assert list(splits(folder)) == ["test"] and list(load(folder).users) == list("abc")
    (folder / "0000.parquet").unlink()
    with pytest.raises(DataError, match="missing, or too many: 0000"):
        load(folder)


def test_parquet_of_another_layout_is_refused(tmp_path):
    pq.write_table(pa.table({"a": ["x"]}), tmp_path / "f.parquet")
    with pytest.raises(DataError, match="not the columns of any LongLaMP task"):
        load(tmp_path / "f.parquet")


def test_a_json_file_of_another_name_is_no_split(tmp_path):
    write(tmp_path / "dev_questions.json", LAMP)
    write(tmp_path / "stats.json", {})
    assert list(splits(tmp_path)) == ["dev"]


def test_nothing_there(tmp_path):
    with pytest.raises(DataError, match="a folder without"):
        load(tmp_path)
    assert splits(tmp_path / "f.jsonl") == {"f.jsonl": (tmp_path / "f.jsonl",)}
    with pytest.raises(DataError, match="too long"):
        list(read_users(tmp_path / f"{'x' * 300}.jsonl"))
    for name in ("f.jsonl", "f.json", "f.tsv", "f.parquet"):
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
