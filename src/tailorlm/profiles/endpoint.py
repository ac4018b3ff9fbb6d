"""A `Complete` over an OpenAI-compatible chat endpoint: timeouts, retries with backoff, concurrency.

A prompt that fails costs no other its reply: `each` and `stream` give failures as values. The key comes from an
environment variable and is sent to the given host only (redirects are refused).
Prompts, replies and keys never appear in errors. Knows nothing of users or profiles. Standard library only.
"""

import json
import os
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException, HTTPMessage, HTTPResponse
from threading import Lock
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, Request, build_opener

AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
OWN_FAULT = frozenset({400, 413, 422})
"""Refusals of one prompt, which another need not meet."""
LOST = 20
"""After so many failures without a reply between them the server counts as lost."""
NOT_SENT = "not sent"
"""In the reason of a failure that the server's loss brought, and no try of its own."""
LONGEST_REPLY = 8 * 2**20
LONGEST_WAIT_S = 60.0


class EndpointError(RuntimeError):
    """The endpoint gave no usable reply; says which prompt (by place), what happened and after how many tries."""

    def __init__(self, place: int, reason: str, more: str = "") -> None:
        super().__init__(f"prompt {place}: {reason}{more}")
        self.reason = reason


class BatchError(EndpointError):
    """Some prompts of a batch have no reply. `replies`: for each prompt its reply or its EndpointError, in order."""

    def __init__(self, place: int, reason: str, replies: "list[Reply]") -> None:
        failed = sum(isinstance(reply, EndpointError) for reply in replies)
        super().__init__(place, reason, f"; {failed} of {len(replies)} prompts failed" if len(replies) > 1 else "")
        self.replies = replies


Reply = str | EndpointError


@dataclass(frozen=True, slots=True)
class Settings:
    """`url` is the API's base, ending in /v1 as a rule. Times in seconds. `cache`: a folder that keeps replies."""

    url: str
    model: str
    key_variable: str = "OPENAI_API_KEY"
    timeout: float = 60.0
    retries: int = 5
    concurrency: int = 8
    max_tokens: int = 512
    temperature: float = 0.0
    cache: str = ""

    def __post_init__(self) -> None:
        if urlsplit(self.url).scheme not in {"http", "https"} or not urlsplit(self.url).hostname:
            raise ValueError(f"endpoint url {self.url!r}: expected http(s)://host[:port]/v1")
        for field, least in (("timeout", 0.001), ("retries", 0), ("concurrency", 1), ("max_tokens", 1)):
            if getattr(self, field) < least:
                raise ValueError(f"endpoint {field} = {getattr(self, field)}: expected at least {least}")


def in_order(stream: Iterable[tuple[int, Reply]]) -> list[Reply]:
    """Replies and failures that came in any order, by place."""
    return [reply for _, reply in sorted(stream, key=lambda pair: pair[0])]


def whole(replies: list[Reply]) -> list[str]:
    """The replies where none failed. Otherwise BatchError, which has them, with the first failure's reason."""
    texts = []
    for place, reply in enumerate(replies):
        if isinstance(reply, EndpointError):
            raise BatchError(place, reply.reason, replies)
        texts.append(reply)
    return texts


class Endpoint:
    """Prompts to replies, several at a time. `wait` sleeps (tests replace it)."""

    def __init__(self, settings: Settings, wait: Callable[[float], None] = time.sleep) -> None:
        self.settings, self.wait = settings, wait
        self.opener: OpenerDirector = build_opener(_NoRedirect)

    def __call__(self, prompts: Sequence[str]) -> list[str]:
        """A reply a prompt, in order. BatchError, which holds the replies that came, where one failed for good."""
        return whole(self.each(prompts))

    def each(self, prompts: Sequence[str]) -> list[Reply]:
        """For each prompt, in order, its reply or why there is none."""
        return in_order(self.stream(prompts))

    def stream(self, prompts: Sequence[str]) -> Iterator[tuple[int, Reply]]:
        """(place, reply or failure) of every prompt, as they come.

        Once the server is lost, or has refused what any prompt would bring (the key, the address), the prompts not
        yet sent fail unsent. Leaving the loop early sends no more.
        """
        line = _Line()
        with ThreadPoolExecutor(self.settings.concurrency) as pool:
            places = {pool.submit(self._ask, place, prompt, line): place for place, prompt in enumerate(prompts)}
            try:
                for future in as_completed(places):
                    yield places[future], future.result()
            finally:
                line.cut = line.cut or "interrupted"
                for future in places:
                    future.cancel()

    def _ask(self, place: int, prompt: str, line: "_Line") -> Reply:
        dice, host = random.Random(place), urlsplit(self.settings.url).hostname
        for tried in range(self.settings.retries + 1):
            if line.cut:
                return EndpointError(place, f"{host}: {NOT_SENT} (after {tried} tries): {line.cut}")
            try:
                return line.replied(self._reply(prompt))
            except _Failure as failure:
                if not failure.again or tried == self.settings.retries:
                    line.failed(failure)
                    return EndpointError(place, f"{host}: {failure.reason} (after {tried + 1} tries)")
                self.wait(min(LONGEST_WAIT_S, max(failure.after, 0.5 * 2**tried) * (1 + dice.random() / 4)))
        raise AssertionError("unreachable")

    def _reply(self, prompt: str) -> str:
        try:
            with self.opener.open(self._request(prompt), timeout=self.settings.timeout) as answer:
                body = _read(answer, self.settings.timeout)
        except HTTPError as error:
            with error:
                raise _refusal(error) from None
        except TimeoutError:
            raise _Failure(f"no reply in {self.settings.timeout} s", True, 1) from None
        except (URLError, HTTPException, OSError) as error:
            reason = error.reason if isinstance(error, URLError) else error
            raise _Failure(f"no connection: {type(reason).__name__}", True, 1) from None
        except ValueError:
            # The library's own message would hold the key.
            raise _Failure("the key or the address has characters that cannot be sent", False, LOST) from None
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
    """Why one try failed, whether another may do better, and how many seconds the server asked to wait.

    `weight`: what it says of the server, 0 nothing (this prompt's fault) to LOST (no prompt will do better).
    """

    def __init__(self, reason: str, again: bool, weight: int, after: float = 0.0) -> None:
        super().__init__(reason)
        self.reason, self.again, self.weight, self.after = reason, again, weight, after


class _Line:
    """What a batch has seen of its server: `cut` says why no more prompts are sent, once they are not."""

    def __init__(self) -> None:
        self.cut, self.weight, self.lock = "", 0, Lock()

    def replied(self, reply: str) -> str:
        with self.lock:
            self.weight = 0
        return reply

    def failed(self, failure: _Failure) -> None:
        with self.lock:
            self.weight = self.weight + failure.weight if failure.weight else 0
            if self.weight >= LOST:
                self.cut = self.cut or f"{failure.reason} before"


class _NoRedirect(HTTPRedirectHandler):
    """A redirect would carry the key to another host."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        return None


def _refusal(error: HTTPError) -> _Failure:
    weight = 0 if error.code in OWN_FAULT else LOST if error.code in {401, 404} or error.code < 400 else 1
    return _Failure(f"HTTP {error.code}", error.code in AGAIN, weight, _after(error.headers))


def _after(headers: Message) -> float:
    """Seconds of a Retry-After header; 0 without one or with a date."""
    value = headers.get("Retry-After", "")
    return float(value) if value.replace(".", "", 1).isdecimal() else 0.0


def _read(answer: HTTPResponse, timeout: float) -> bytes:
    """The body, or a little more than is taken. TimeoutError where it drips in for longer than `timeout` seconds."""
    body, end = b"", time.monotonic() + timeout
    while len(body) <= LONGEST_REPLY and (part := answer.read1(LONGEST_REPLY)):
        body += part
        if time.monotonic() > end:
            raise TimeoutError
    return body


def _text(body: bytes) -> str:
    """The reply in a response body. Another shape, no text or a reply cut by max_tokens is a failure."""
    if len(body) > LONGEST_REPLY:
        raise _Failure(f"the response is over {LONGEST_REPLY} bytes", False, 0)
    try:
        choice: Any = json.loads(body)["choices"][0]
        text, reason = choice["message"]["content"], choice.get("finish_reason")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise _Failure("the response is not a chat completion", False, 1) from None
    if reason == "length":
        raise _Failure("the reply was cut: raise max_tokens", False, 0)
    if not isinstance(text, str) or not text.strip():
        raise _Failure("the reply has no text", True, 0)
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise _Failure("the reply has lone surrogates, which are no text", False, 0)
    return text
