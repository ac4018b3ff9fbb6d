"""A `Complete` over an OpenAI-compatible chat endpoint: timeouts, retries with backoff, concurrency.

The key comes from an environment variable and is sent to the given host only (redirects are refused).
Prompts, replies and keys never appear in errors. Knows nothing of users or profiles. Standard library only.
"""

import json
import os
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException, HTTPMessage
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, Request, build_opener

AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
LONGEST_REPLY = 8 * 2**20
LONGEST_WAIT_S = 60.0


class EndpointError(RuntimeError):
    """The endpoint did not give a usable reply; says which prompt (by place), what happened and after how
    many tries.
    """


@dataclass(frozen=True, slots=True)
class Settings:
    """`url` is the API's base, ending in /v1 as a rule. Times in seconds."""

    url: str
    model: str
    key_variable: str = "OPENAI_API_KEY"
    timeout: float = 60.0
    retries: int = 5
    concurrency: int = 8
    max_tokens: int = 512
    temperature: float = 0.0

    def __post_init__(self) -> None:
        if urlsplit(self.url).scheme not in {"http", "https"} or not urlsplit(self.url).hostname:
            raise ValueError(f"endpoint url {self.url!r}: expected http(s)://host[:port]/v1")
        for field, least in (("timeout", 0.001), ("retries", 0), ("concurrency", 1), ("max_tokens", 1)):
            if getattr(self, field) < least:
                raise ValueError(f"endpoint {field} = {getattr(self, field)}: expected at least {least}")


class Endpoint:
    """Prompts to replies, in order, several at a time. `wait` sleeps (tests replace it)."""

    def __init__(self, settings: Settings, wait: Callable[[float], None] = time.sleep) -> None:
        self.settings, self.wait = settings, wait
        self.opener: OpenerDirector = build_opener(_NoRedirect)

    def __call__(self, prompts: Sequence[str]) -> list[str]:
        """A reply a prompt. EndpointError when one fails for good; prompts not yet sent are then not sent."""
        with ThreadPoolExecutor(self.settings.concurrency) as pool:
            futures = [pool.submit(self._ask, place, prompt) for place, prompt in enumerate(prompts)]
            try:
                return [future.result() for future in futures]
            finally:
                for future in futures:
                    future.cancel()

    def _ask(self, place: int, prompt: str) -> str:
        dice = random.Random(place)
        for tried in range(self.settings.retries + 1):
            try:
                return self._reply(prompt)
            except _Failure as failure:
                if not failure.again or tried == self.settings.retries:
                    raise self._error(place, tried + 1, failure) from None
                self.wait(min(LONGEST_WAIT_S, max(failure.after, 0.5 * 2**tried) * (1 + dice.random() / 4)))
        raise AssertionError("unreachable")

    def _error(self, place: int, tries: int, failure: "_Failure") -> EndpointError:
        host = urlsplit(self.settings.url).hostname
        return EndpointError(f"prompt {place}: {host}: {failure.reason} (after {tries} tries)")

    def _reply(self, prompt: str) -> str:
        try:
            with self.opener.open(self._request(prompt), timeout=self.settings.timeout) as answer:
                body = answer.read(LONGEST_REPLY + 1)
        except HTTPError as error:
            with error:
                raise _Failure(f"HTTP {error.code}", error.code in AGAIN, _after(error.headers)) from None
        except TimeoutError:
            raise _Failure(f"no reply in {self.settings.timeout} s", True) from None
        except (URLError, HTTPException, OSError) as error:
            reason = error.reason if isinstance(error, URLError) else error
            raise _Failure(f"no connection: {type(reason).__name__}", True) from None
        return _text(body)

    def _request(self, prompt: str) -> Request:
        settings = self.settings
        body = {
            "model": settings.model,
            "messages": [{"role": "user", "content": prompt}],
            "max_tokens": settings.max_tokens,
            "temperature": settings.temperature,
        }
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if key := os.environ.get(settings.key_variable, "").strip():
            headers["Authorization"] = f"Bearer {key}"
        url = settings.url.rstrip("/") + "/chat/completions"
        return Request(url, json.dumps(body).encode(), headers, method="POST")


class _Failure(Exception):
    """Why one try failed, whether another may do better, and how many seconds the server asked to wait."""

    def __init__(self, reason: str, again: bool, after: float = 0.0) -> None:
        super().__init__(reason)
        self.reason, self.again, self.after = reason, again, after


class _NoRedirect(HTTPRedirectHandler):
    """A redirect would carry the key to another host."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        return None


def _after(headers: Message) -> float:
    """Seconds of a Retry-After header; 0 without one or with a date."""
    value = headers.get("Retry-After", "")
    return float(value) if value.replace(".", "", 1).isdecimal() else 0.0


def _text(body: bytes) -> str:
    """The reply in a response body. Another shape, no text or a reply cut by max_tokens is a failure."""
    if len(body) > LONGEST_REPLY:
        raise _Failure(f"the response is over {LONGEST_REPLY} bytes", False)
    try:
        choice: Any = json.loads(body)["choices"][0]
        text, reason = choice["message"]["content"], choice.get("finish_reason")
    except (ValueError, LookupError, TypeError, AttributeError):
        raise _Failure("the response is not a chat completion", False) from None
    if reason == "length":
        raise _Failure("the reply was cut: raise max_tokens", False)
    if not isinstance(text, str) or not text.strip():
        raise _Failure("the reply has no text", True)
    return text
