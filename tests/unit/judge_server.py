"""A judge's endpoint on this machine that a test scripts: by the answer it grades and how often it was asked."""

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Reply = tuple[int, str, float]
"""HTTP status, text, seconds before it is sent."""
ANSWER = re.compile(r"<answer>\n(.*)\n</answer>", re.DOTALL)


def good(score: int) -> Reply:
    return 200, f"It fits.\n[RESULT] {score}", 0.0


class JudgeServer:
    """`script`: (answer, times asked before) -> reply. `prompts`, `keys`: what came, in order."""

    def __init__(self, script: Callable[[str, int], Reply] = lambda answer, before: good(3)) -> None:
        self.script, self.prompts, self.keys, self.times = script, [], [], Counter()
        self.lock, outer = threading.Lock(), self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status, text, delay = outer.reply(body["messages"][0]["content"], self.headers.get("Authorization", ""))
                time.sleep(delay)
                said = {"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}
                data = json.dumps(said).encode()
                try:
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data)
                except OSError:
                    pass  # who asked has gone: a time-out

            def log_message(self, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def reply(self, prompt: str, key: str) -> Reply:
        answer = ANSWER.search(prompt)[1]
        with self.lock:
            self.prompts.append(prompt)
            self.keys.append(key)
            before = self.times[prompt]
            self.times[prompt] += 1
        return self.script(answer, before)

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()
