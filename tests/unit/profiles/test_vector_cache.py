"""The vector cache: hits, forgetting, privacy of names, concurrent processes, damage."""

import multiprocessing
import sqlite3
import stat

import pytest
import torch

from tailorlm.profiles.cache import CachedEncoder


class Counting:
    """Different vectors at every call, so that a second encoding of a text would show."""

    id = "counting"
    size = 4

    def __init__(self):
        self.calls = 0

    def __call__(self, texts):
        self.calls += 1
        return torch.randn(len(texts), self.size)


def test_a_text_is_encoded_once_and_order_and_repeats_are_kept(tmp_path, encoder):
    cached = CachedEncoder(encoder, tmp_path)
    first = cached(["a", "b", "a"])
    assert encoder.seen == ["a", "b"] and torch.equal(first[0], first[2])
    again = CachedEncoder(encoder, tmp_path)(["b", "c"])
    assert encoder.seen == ["a", "b", "c"]
    assert torch.equal(again[0], first[1]) and torch.equal(again, encoder(["b", "c"]))
    assert len(cached) == 3 and (cached.id, cached.size) == (encoder.id, encoder.size)


def test_nothing_is_a_table_without_rows(tmp_path, encoder):
    assert CachedEncoder(encoder, tmp_path)([]).shape == (0, encoder.size)


def test_many_texts_at_once(tmp_path, encoder):
    texts = [str(n) for n in range(1300)]
    assert torch.equal(CachedEncoder(encoder, tmp_path)(texts), encoder(texts))


def test_another_encoder_has_its_own_entries(tmp_path, encoder):
    cached = CachedEncoder(encoder, tmp_path)
    cached(["a"])
    other = Counting()
    CachedEncoder(other, tmp_path)(["a"])
    assert other.calls == 1 and len(cached) == 2


def test_given_texts_are_forgotten(tmp_path, encoder):
    cached = CachedEncoder(encoder, tmp_path)
    cached(["a", "b"])
    assert cached.forget(["a", "never seen"]) == 1 and len(cached) == 1
    cached(["a"])
    assert encoder.seen == ["a", "b", "a"]


def test_a_user_is_forgotten_and_what_others_share_stays(tmp_path, encoder):
    cached = CachedEncoder(encoder, tmp_path)
    cached(["mine", "shared", "nobody's"])
    cached.own([("u1", "mine"), ("u1", "shared"), ("u2", "shared")])
    assert cached.forget_user("u1") == 1 and len(cached) == 2
    assert cached.forget_user("u1") == 0
    assert cached.forget_user("u2") == 1 and len(cached) == 1


def test_files_hold_no_text_and_no_bytes_of_the_forgotten(tmp_path, encoder):
    cached = CachedEncoder(encoder, tmp_path / "cache")
    secret = "a statement about one person"
    value = cached([secret]).numpy().tobytes()
    cached.own([("user-name-7", secret)])
    everything = lambda: b"".join(file.read_bytes() for file in (tmp_path / "cache").iterdir())  # noqa: E731
    assert secret.encode() not in everything() and b"user-name-7" not in everything()
    assert all("statement" not in file.name for file in (tmp_path / "cache").iterdir())
    cached.forget_user("user-name-7")
    assert value not in everything()


def test_only_the_owner_can_read_the_file(tmp_path, encoder):
    cached = CachedEncoder(encoder, tmp_path / "cache")
    assert stat.S_IMODE(cached.file.stat().st_mode) == 0o600
    assert stat.S_IMODE(cached.file.parent.stat().st_mode) == 0o700


def test_an_entry_of_the_wrong_size_is_reported(tmp_path, encoder):
    cached = CachedEncoder(encoder, tmp_path)
    cached(["a"])
    with sqlite3.connect(cached.file) as store:
        store.execute("UPDATE vectors SET value = x'00'")
    with pytest.raises(ValueError, match="1 bytes, expected 64"):
        cached(["a"])


def work(directory, start, results):
    torch.manual_seed(start)
    cached = CachedEncoder(Counting(), directory)
    for n in range(20):
        cached([f"text {(start + n) % 25}", f"text {n}"])
    results.put(cached([f"text {n}" for n in range(25)]).tolist())


def test_processes_share_one_cache_and_agree_to_the_bit(tmp_path):
    context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
    results = context.Queue()
    workers = [context.Process(target=work, args=(tmp_path, start, results)) for start in (0, 7)]
    for worker in workers:
        worker.start()
    found = [results.get(timeout=90) for _ in workers]
    for worker in workers:
        worker.join(30)
        assert worker.exitcode == 0
    assert all(rows == found[0] for rows in found)
    assert len(CachedEncoder(Counting(), tmp_path)) == 25
