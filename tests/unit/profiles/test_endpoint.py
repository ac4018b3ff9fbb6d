"""The endpoint client against a real HTTP server on this machine: retries, order, secrets, failures."""

import json
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tailorlm.profiles.endpoint import LOST, BatchError, Endpoint, EndpointError, Settings


class Server:
    """Answers with the scripted steps for each prompt in turn, then echoes it."""

    def __init__(self):
        self.requests, self.script, self.delay, self.drip = [], [], 0.0, 0.0
        self.busy = self.most_busy = 0
        self.lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                outer.answer(self)

            def log_message(self, *args):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def answer(self, handler):
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        with self.lock:
            self.requests.append((handler.path, dict(handler.headers), body))
            self.busy += 1
            self.most_busy = max(self.busy, self.most_busy)
            status, headers, reply = self.script.pop(0) if self.script else (200, {}, None)
        time.sleep(self.delay)
        with self.lock:
            self.busy -= 1
        text = "re: " + body["messages"][0]["content"]
        payload = reply if reply is not None else {"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        if not self.drip:
            handler.wfile.write(data)
        with suppress(OSError):  # a client that has gone
            for place in range(len(data) if self.drip else 0):
                handler.wfile.write(data[place : place + 1])
                time.sleep(self.drip)


@pytest.fixture
def server():
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


def client(server, waits=None, **settings):
    return Endpoint(Settings(server.url, "m", **settings), wait=(waits if waits is not None else []).append)


def test_replies_come_in_the_order_of_prompts_and_at_once(server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    server.delay = 0.05
    prompts = [f"p{n}" for n in range(9)]
    assert client(server, concurrency=3)(prompts) == [f"re: {p}" for p in prompts]
    assert 1 < server.most_busy <= 3
    path, headers, body = server.requests[0]
    assert path == "/v1/chat/completions" and headers["Authorization"] == "Bearer sk-1"
    assert (body["model"], body["max_tokens"], body["temperature"]) == ("m", 512, 0.0)


def test_without_a_key_none_is_sent(server, monkeypatch):
    monkeypatch.delenv("MY_KEY", raising=False)
    client(server, key_variable="MY_KEY")(["p"])
    assert "Authorization" not in server.requests[0][1]


def test_busy_servers_are_asked_again_later_and_later(server):
    server.script = [(429, {"Retry-After": "7"}, {}), (503, {}, {}), (500, {"Retry-After": "soon"}, {})]
    waits = []
    assert client(server, waits)(["p"]) == ["re: p"]
    assert 7 <= waits[0] <= 8.75 and 1 <= waits[1] <= 1.25 and 2 <= waits[2] <= 2.5


def test_it_gives_up_after_the_retries_without_telling_secrets(server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    server.script = [(500, {}, {"error": "bad prompt: my diary"})] * 3
    with pytest.raises(EndpointError, match=r"prompt 0: 127.0.0.1: HTTP 500 \(after 3 tries\)") as caught:
        client(server, retries=2)(["my diary"])
    assert "diary" not in str(caught.value) and "sk-secret" not in str(caught.value)
    assert caught.value.__cause__ is None and len(server.requests) == 3


@pytest.mark.parametrize("status", [400, 401, 404])
def test_refusals_are_final(server, status):
    server.script = [(status, {}, {})]
    with pytest.raises(EndpointError, match=rf"HTTP {status} \(after 1 tries\)"):
        client(server)(["p"])


def test_redirects_are_refused(server):
    server.script = [(302, {"Location": "http://127.0.0.1:9/steal"}, {})]
    with pytest.raises(EndpointError, match="HTTP 302"):
        client(server)(["p"])


def test_a_slow_server_is_a_timeout(server):
    server.delay = 0.5
    with pytest.raises(EndpointError, match=r"no reply in 0\.1 s \(after 2 tries\)|no connection"):
        client(server, timeout=0.1, retries=1)(["p"])


def test_a_server_that_drips_is_a_timeout(server):
    server.drip = 0.05
    with pytest.raises(EndpointError, match=r"no reply in 0\.3 s \(after 1 tries\)"):
        client(server, timeout=0.3, retries=0)(["p"])


def test_nobody_there():
    with pytest.raises(EndpointError, match="no connection: ConnectionRefusedError"):
        Endpoint(Settings("http://127.0.0.1:9/v1", "m", retries=0))(["p"])


def choice(content, reason="stop"):
    return {"choices": [{"message": {"content": content}, "finish_reason": reason}]}


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (b"<html>", "not a chat completion"),
        ({"choices": []}, "not a chat completion"),
        ([], "not a chat completion"),
        (b"[" * 100_000, "not a chat completion"),
        (choice("\ud800 [RESULT] 3"), r"lone surrogates"),
        (choice("half a sen", "length"), "raise max_tokens"),
    ],
)
def test_unusable_replies_are_refused(server, reply, said):
    server.script = [(200, {}, reply)]
    with pytest.raises(EndpointError, match=said):
        client(server)(["p"])


def test_an_empty_reply_is_asked_for_again(server):
    server.script = [(200, {}, choice(" ")), (200, {}, choice(None))]
    assert client(server)(["p"]) == ["re: p"]


def by_prompt(server, failing, status=500):
    """From now on the server refuses these prompts and answers the others."""

    def answer(handler):
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        prompt = body["messages"][0]["content"]
        with server.lock:
            server.requests.append(prompt)
        data = json.dumps(choice(f"re: {prompt}")).encode()
        handler.send_response(status if prompt in failing else 200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    server.answer = answer


def test_a_failure_loses_no_other_reply_of_its_batch(server):
    by_prompt(server, {"p3"})
    prompts = [f"p{n}" for n in range(9)]
    replies = client(server, retries=1).each(prompts)
    assert [str(reply) for reply in replies] == [
        "prompt 3: 127.0.0.1: HTTP 500 (after 2 tries)" if n == 3 else f"re: p{n}" for n in range(9)
    ]
    assert isinstance(replies[3], EndpointError) and replies[3].reason == "127.0.0.1: HTTP 500 (after 2 tries)"


def test_a_batch_that_fails_holds_the_replies_that_came(server):
    by_prompt(server, {"p0", "p2"}, status=400)
    with pytest.raises(
        BatchError, match=r"^prompt 0: 127\.0\.0\.1: HTTP 400 \(after 1 tries\); 2 of 4 prompts failed$"
    ) as caught:
        client(server)([f"p{n}" for n in range(4)])
    assert [isinstance(reply, EndpointError) for reply in caught.value.replies] == [True, False, True, False]
    assert caught.value.replies[1] == "re: p1"


def test_replies_stream_as_they_come_and_a_loop_that_is_left_sends_no_more(server):
    by_prompt(server, set())
    stream = client(server, concurrency=1).stream([str(n) for n in range(200)])
    place, reply = next(stream)
    assert reply == f"re: {place}"
    stream.close()
    assert len(server.requests) < 100


@pytest.mark.parametrize("status", [401, 404])
def test_a_refusal_of_the_key_or_the_address_sends_no_more_prompts(server, status):
    by_prompt(server, {str(n) for n in range(50)}, status)
    replies = client(server, concurrency=1).each([str(n) for n in range(50)])
    assert len(server.requests) < 10
    assert all(isinstance(reply, EndpointError) for reply in replies)
    assert replies[-1].reason == f"127.0.0.1: not sent (after 0 tries): HTTP {status} before"


def test_a_server_that_is_lost_is_left_alone(server):
    by_prompt(server, {str(n) for n in range(500)})
    replies = client(server, retries=0, concurrency=2).each([str(n) for n in range(500)])
    assert LOST <= len(server.requests) <= LOST + 4 and "not sent" in str(replies[-1])


def test_prompts_that_are_refused_for_themselves_do_not_make_a_server_lost(server):
    refused = {str(n) for n in range(2 * LOST)}
    by_prompt(server, refused, status=400)
    replies = client(server, concurrency=2).each([*sorted(refused), "x"])
    assert replies[-1] == "re: x" and len(server.requests) == 2 * LOST + 1


def test_a_reply_between_failures_says_that_the_server_is_there(server):
    prompts = [str(n) for n in range(3 * LOST)]
    by_prompt(server, {prompt for prompt in prompts if int(prompt) % 3})
    replies = client(server, retries=0, concurrency=1).each(prompts)
    assert [isinstance(reply, str) for reply in replies] == [n % 3 == 0 for n in range(3 * LOST)]


def test_a_key_that_cannot_be_sent_is_not_told(server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1\nX-Other: 2")
    with pytest.raises(EndpointError, match="characters that cannot be sent") as caught:
        client(server)(["p"])
    assert "sk-1" not in str(caught.value) and not server.requests


@pytest.mark.parametrize("bad", [{"url": "ftp://x/v1"}, {"url": "localhost:80"}, {"timeout": 0}, {"concurrency": 0}])
def test_bad_settings_are_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        Settings(**{"url": "http://x/v1", "model": "m", **bad})


def test_nothing_to_ask(server):
    assert client(server)([]) == [] and not server.requests
