"""JSON arrays element by element: what a chunk cuts in two, and what is no array."""

import gzip
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tailorlm.data import arrays
from tailorlm.data.arrays import elements, opens_array
from tailorlm.data.problems import DataError

CALM = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
scalars = st.none() | st.booleans() | st.integers(-(10**18), 10**18) | st.floats(allow_nan=False) | st.text(max_size=9)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 64])
@CALM
@given(found=st.lists(values, max_size=6), indent=st.sampled_from([None, 1]), ascii=st.booleans())
def test_whatever_a_chunk_cuts_is_read_whole(tmp_path, monkeypatch, chunk, found, indent, ascii):
    monkeypatch.setattr(arrays, "CHUNK", chunk)
    path = tmp_path / "f.json"
    path.write_text(f" {json.dumps(found, indent=indent, ensure_ascii=ascii)}\n", encoding="utf-8")
    assert list(elements(path)) == found and opens_array(path)


@pytest.mark.parametrize("chunk", [1, 2**18])
@CALM
@given(found=st.lists(values, min_size=1, max_size=4), data=st.data())
def test_a_document_that_breaks_off_raises_after_the_whole_elements(tmp_path, monkeypatch, chunk, found, data):
    monkeypatch.setattr(arrays, "CHUNK", chunk)
    content = json.dumps(found).encode()
    path = tmp_path / "f.json"
    path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    read = []
    with pytest.raises(DataError):
        for value in elements(path):
            read.append(value)
    assert len(read) <= len(found) and all(a == b for a, b in zip(read[:-1], found, strict=False))


@pytest.mark.parametrize("chunk", [1, 5, 2**18])
@pytest.mark.parametrize(
    ("content", "item", "reason"),
    [
        (b"", 0, "empty"),
        (b"  ", 0, "array"),
        (b"{}", 0, "array"),
        (b"[1,]", 2, "Expecting value"),
        (b"[1 2]", 1, "a comma"),
        (b"[1]]", 1, "after the end"),
        (b"[] 1", 0, "after the end"),
        (b'[1, {"a" 2}, "zebra zebra zebra"]', 2, "Expecting ':' delimiter"),
        (b'["zebra\n", 1, 2, 3, 4, 5, 6]', 1, "Invalid control character"),
        (b"[1, \xff]", 1, "not UTF-8"),
        (b"[" * 100_000, 1, "nested too deeply"),
    ],
)
def test_what_is_no_array_is_named_by_its_element(tmp_path, monkeypatch, chunk, content, item, reason):
    monkeypatch.setattr(arrays, "CHUNK", chunk if len(content) < 1000 else 2**18)
    path = tmp_path / "f.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=reason) as caught:
        list(elements(path))
    problem = caught.value.problem
    assert problem.unit == "item" and "zebra" not in str(problem)
    assert problem.line == item or "UTF-8" in reason


def test_gzip_a_byte_order_mark_and_long_white_space(tmp_path):
    path = tmp_path / "f.json.gz"
    content = b"\xef\xbb\xbf[" + b" " * 2**20 + b'1, "a"]' + b"\n" * 2**20
    path.write_bytes(gzip.compress(content))
    assert list(elements(path)) == [1, "a"]
    path.write_bytes(gzip.compress(content)[:-9])
    with pytest.raises(DataError, match="damaged"):
        list(elements(path))


def test_an_element_beyond_the_limit_is_not_held(tmp_path, monkeypatch):
    monkeypatch.setattr(arrays, "MAX_ELEMENT", 100)
    monkeypatch.setattr(arrays, "CHUNK", 16)
    path = tmp_path / "f.json"
    path.write_text(json.dumps(["short", "x" * 10_000]))
    read = elements(path)
    assert next(read) == "short"
    with pytest.raises(DataError, match="item 2: an element longer than 100 characters"):
        next(read)
