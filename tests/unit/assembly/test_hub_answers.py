"""A hub that cannot be asked is said at once; what is here, or in the cache, is not asked for."""

import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from huggingface_hub import errors

from tailorlm.assembly import hub
from tailorlm.assembly.benches import load_base, make_encoder
from tailorlm.assembly.checkpoints import fetch
from tailorlm.assembly.recipes import BaseSettings, EncoderSettings
from tailorlm.hypernet.config import BadCheckpoint


def failing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> list[str]:
    asked: list[str] = []

    def ask(url: str, token: str | None = None) -> None:
        asked.append(url)
        raise error

    monkeypatch.setattr(hub, "get_hf_file_metadata", ask)
    return asked


def answer(kind: type[errors.HfHubHTTPError], status: int) -> errors.HfHubHTTPError:
    return kind("no", response=SimpleNamespace(status_code=status, headers={}, request=None))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            ConnectionError("name resolution"),
            r"it is not in the cache, and https://\S+ cannot be reached \(ConnectionError",
        ),
        (answer(errors.RepositoryNotFoundError, 401), r"there is no such model on https://\S+, or it is private"),
        (answer(errors.GatedRepoError, 403), "for those who accepted its terms"),
        (answer(errors.RevisionNotFoundError, 404), "but no revision 'v9'"),
        (answer(errors.HfHubHTTPError, 503), r"answered with an error \(503\)"),
    ],
)
def test_what_the_hub_says_is_said(error: Exception, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = failing(monkeypatch, error)
    with pytest.raises(ValueError, match=rf"some/model is no folder here, and the hub did not give it: .*{said}"):
        hub.check("some/model", "v9")
    assert len(asked) == 1 and "/v9/config.json" in asked[0]


def test_who_asks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, ConnectionError("x"))
    start = time.perf_counter()
    with pytest.raises(ValueError, match="base.name: some/model is no folder here"):
        load_base(BaseSettings(name="some/model"))
    with pytest.raises(ValueError, match="encoder.name: sentence-transformers/some is no folder here"):
        make_encoder(EncoderSettings(name="some"), None)  # type: ignore[arg-type]
    with pytest.raises(BadCheckpoint, match="some/net is no folder here"):
        fetch("some/net", None, None)
    assert time.perf_counter() - start < 60


def test_no_question_about_what_is_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = failing(monkeypatch, ConnectionError("x"))
    hub.check(str(tmp_path))
    cached = tmp_path / "config.json"
    monkeypatch.setattr(hub, "try_to_load_from_cache", lambda *given, **more: str(cached))
    hub.check("some/model")
    assert not asked


def test_a_repository_that_answers_is_left_to_whoever_loads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = failing(monkeypatch, answer(errors.RemoteEntryNotFoundError, 404))
    hub.check("some/model")
    assert len(asked) == 1


def test_no_hub_id() -> None:
    with pytest.raises(ValueError, match="it is no hub id, such as organisation/model"):
        hub.check("a b//c")
