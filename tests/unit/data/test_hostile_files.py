"""Every reader against hostile files: only DataError is raised, and under skip good records survive."""

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tailorlm.data.describe import describe
from tailorlm.data.empathic import read_empathic
from tailorlm.data.jsonl import read_users, write_users
from tailorlm.data.lamp import FORMS, read_lamp
from tailorlm.data.load import load
from tailorlm.data.longlamp import COLUMNS, read_longlamp
from tailorlm.data.problems import DataError, Report
from tailorlm.data.records import Example, Interaction, User
from tailorlm.data.reddit import read_reddit

CALM = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
CANARY = "zebrasecret"
KEYS = [
    "user_id", "history", "profile", "queries", "input", "output", "time",
    "task", "id", "date", "year", "name", "author", "reviewerId",
    "title", "abstract", "text", "score", "tag", "description", "category",
    "summary", "content", "reviewText", "overall", "question_asked", "response", "personality",
    "golds", "response_id", "article_id", "essay",
]  # fmt: skip

strange = st.sampled_from(
    [
        CANARY,
        f"{CANARY}\0",
        f"{CANARY}\ud800",
        "",
        " ",
        "\u2028",
        "2014-04-22",
        "2014-04-22T10:00:00Z",
        "9999-99-99",
    ]
)
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), strange, st.text(max_size=8), st.just(10**400)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), inner, max_size=6)
    ),
    max_leaves=12,
)
rows = st.dictionaries(st.sampled_from(KEYS), values, max_size=10)
noise = st.binary(max_size=60).map(lambda found: found.replace(b"\n", b""))


def as_line(value: object) -> bytes:
    return json.dumps(value).encode()


@st.composite
def spoilt(draw: st.DrawFn, line: bytes) -> bytes:
    """A line with bytes cut out of it or put into it."""
    at, length = draw(st.integers(0, len(line))), draw(st.integers(0, 20))
    return line[:at] + draw(noise) + line[at + length :]


def readers(path: Path, on_error: str, report: Report) -> list[object]:
    """What each reader makes of a file, whatever it holds: a dataset, users, or the DataError."""
    found: list[object] = []
    calls = [
        lambda: list(read_users(path, on_error, report)),
        lambda: read_lamp(path, None, None, on_error, report),
        lambda: read_lamp(path, path, "lamp_3", on_error, report),
        lambda: read_reddit(path, on_error, report),
        lambda: read_empathic(path, on_error, report),
        *(lambda task=task: read_longlamp(path, task, on_error, report) for task in COLUMNS),
        lambda: load(path, on_error, report),
    ]
    for call in calls:
        try:
            found.append(call())
        except DataError as error:
            assert CANARY not in str(error) and CANARY not in repr(error)
            found.append(error)
    assert all(CANARY not in str(problem) for problem in report.problems)
    return found


@pytest.mark.parametrize("name", ["f.jsonl", "f.json", "f.tsv", "f.jsonl.gz", "f.json.gz"])
@pytest.mark.parametrize("on_error", ["stop", "skip"])
@CALM
@given(content=st.binary(max_size=400))
def test_any_bytes(tmp_path, name, on_error, content):
    path = tmp_path / name
    path.write_bytes(content)
    readers(path, on_error, Report())


@pytest.mark.parametrize("on_error", ["stop", "skip"])
@CALM
@given(lines=st.lists(rows | values, max_size=6))
def test_any_json_lines(tmp_path, on_error, lines):
    path = tmp_path / "f.jsonl"
    path.write_bytes(b"\n".join(map(as_line, lines)))
    for found in readers(path, on_error, Report()):
        if not isinstance(found, DataError):
            describe(iter(found) if isinstance(found, list) else found)


@pytest.mark.parametrize("on_error", ["stop", "skip"])
@CALM
@given(document=st.lists(rows, max_size=6) | st.dictionaries(st.just("golds"), st.lists(rows)) | values)
def test_any_json_document(tmp_path, on_error, document):
    path = tmp_path / "f.json"
    path.write_bytes(as_line(document))
    readers(path, on_error, Report())


@CALM
@given(whole=st.lists(rows, min_size=1, max_size=4), cut=st.integers(0, 60))
def test_any_truncated_gzip(tmp_path, whole, cut):
    for name, content in (("f.jsonl.gz", b"\n".join(map(as_line, whole))), ("f.json.gz", as_line(whole))):
        path = tmp_path / name
        packed = gzip.compress(content)
        path.write_bytes(packed[: max(0, len(packed) - cut)])
        readers(path, "skip", Report())


def good(form: str, n: int) -> dict[str, object]:
    if form == "users":
        return {
            "user_id": f"good{n}",
            "history": [{"input": "a", "output": f"b{n}"}],
            "queries": [{"input": "c"}],
        }
    if form == "events":
        return {"user_id": f"good{n}", "input": "a", "output": f"b{n}"}
    if form == "reddit":
        return {"user_id": f"good{n}", "personality": {}, "question_asked": "a", "response": f"b{n}"}
    return {
        "author": f"good{n}",
        "input": "a",
        "output": f"b{n}",
        "profile": [{"summary": "a", "content": "b"}],
    }


READ = {
    "users": lambda path, report: {user.id: user for user, _ in read_users(path, "skip", report)},
    "events": lambda path, report: {user.id: user for user, _ in read_users(path, "skip", report)},
    "reddit": lambda path, report: read_reddit(path, "skip", report).users,
    "topic": lambda path, report: read_longlamp(path, "longlamp_topic", "skip", report).users,
}


@pytest.mark.parametrize("form", READ)
@CALM
@given(data=st.data())
def test_good_lines_survive_among_bad_ones(tmp_path, form, data):
    """Bad lines: noise, spoilt good lines, objects with our keys; none that could be somebody's."""
    lines = []
    for n in range(data.draw(st.integers(1, 4))):
        bad = noise | spoilt(as_line(good(form, 9))) | rows.map(as_line)
        lines += data.draw(st.lists(bad.filter(lambda line: not _somebodys(line)), max_size=3))
        lines.append(as_line(good(form, n)))
    path, alone = tmp_path / "f.jsonl", tmp_path / "good.jsonl"
    path.write_bytes(b"\n".join(lines))
    alone.write_bytes(b"\n".join(line for line in lines if _somebodys(line)))
    assert READ[form](path, Report()) == READ[form](alone, Report())


def _somebodys(line: bytes) -> bool:
    try:
        found = json.loads(line.decode().removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and any(isinstance(found.get(key), str | int) for key in ("user_id", "author"))


@CALM
@given(bad=st.lists(rows | values, max_size=5), at=st.integers(0, 5))
def test_good_lamp_questions_survive_among_bad_ones(tmp_path, bad, at):
    items = [{"text": "a", "title": "b"}]
    fine = {"id": "good", "input": FORMS["lamp_4"].opening, "profile": items}
    path = tmp_path / "dev_questions.json"
    path.write_bytes(as_line([*bad[:at], fine, *bad[at:]]))
    dataset = read_lamp(path, None, "lamp_4", "skip")
    [owner] = {example.user_id for example in dataset.examples if example.id == "good"}
    assert dataset.users[owner].history == (Interaction("a", "b", None, "lamp_4"),)


@CALM
@given(bad=st.lists(st.text(st.characters(exclude_characters="\n\r\0", exclude_categories=["Cs"])), max_size=5))
def test_good_tsv_rows_survive_among_bad_ones(tmp_path, bad):
    path = tmp_path / "f.tsv"
    body = [line for row in bad for line in (row, f"good\t1\tessay {len(row)}\t")]
    path.write_text("\n".join(["response_id\tarticle_id\tessay\tage", *body]) + "\n", newline="", encoding="utf-8")
    dataset = read_empathic(path, "skip")
    if bad:
        assert len(dataset.users["good"].history) + 1 >= len(bad) - len(bad) // 5


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
ids = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=6)
times = st.none() | st.floats(-1e10, 1e11)
pairs_in = st.tuples(texts, texts.filter(bool))


@st.composite
def users(draw: st.DrawFn) -> list[tuple[User, tuple[Example, ...]]]:
    """Users that can be written: different ids, histories in order, queries after them."""
    found, asked = [], iter(range(1000))
    for name in draw(st.lists(ids, unique=True, max_size=4)):
        stamps = sorted(draw(st.lists(st.floats(-1e10, 1e10), max_size=4)))
        history = tuple(Interaction(*draw(pairs_in), time, draw(st.none() | ids)) for time in stamps)
        queries = tuple(
            Example(f"q{next(asked)}", name, draw(st.none() | ids), draw(texts), draw(st.none() | texts), time)
            for time in draw(st.lists(st.none() | st.floats(1e10, 1e11), max_size=3))
        )
        found.append((User(name, history, draw(st.none() | texts)), queries))
    return found


@CALM
@given(pairs=users())
def test_whatever_is_written_reads_back(tmp_path, pairs):
    path = tmp_path / "f.jsonl"
    write_users(path, pairs)
    assert list(read_users(path)) == pairs
