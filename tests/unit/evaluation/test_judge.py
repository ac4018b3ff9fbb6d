"""The judge against a real HTTP server on this machine: scores, unparsable replies, failures, cache, privacy."""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tailorlm.assembly.judging import RUBRIC, JudgeSettings, Template
from tailorlm.evaluation.judge import Judge, Question, filled, judgement, make, summary
from tailorlm.profiles.endpoint import Endpoint, EndpointError
from tailorlm.profiles.endpoint import Settings as EndpointSettings
from tailorlm.recipe import settings


class Server:
    """Judges by the number in the answer: `score 4` gets a 4; `fail` gets HTTP 400, anything else no mark."""

    def __init__(self):
        self.prompts, outer = [], self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status, text = outer.reply(body["messages"][0]["content"])
                reply = {"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}
                data = json.dumps(reply).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def reply(self, prompt):
        self.prompts.append(prompt)
        answer = re.search(r"<answer>\n(.*)\n</answer>", prompt)[1]
        if answer == "fail":
            return 400, ""
        score = re.fullmatch(r"score (\d)", answer)
        return 200, f"It fits.\n[RESULT] {score[1]}" if score else "I would rather not say."


@pytest.fixture
def server():
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


def use(server, **more):
    return EndpointSettings(server.url, "m", **more)


def asked(*answers):
    return [Question(f"e{n}", "asked", answer, "wrote", "likes tea") for n, answer in enumerate(answers)]


def test_scores_unparsable_replies_and_failures_each_as_such(server):
    found = make(use(server, concurrency=3))(asked("score 4", "fail", "nothing", "score 1"))
    assert [(one.id, one.score, one.fault) for one in found] == [
        ("e0", 4, ""),
        ("e1", None, "failed"),
        ("e2", None, "unparsable"),
        ("e3", 1, ""),
    ]
    assert found[1].reason == "127.0.0.1: HTTP 400 (after 1 tries)" and found[2].reason == "no [RESULT] in the reply"
    assert summary(found) == {"judge": 2.5, "judged": 2, "unparsable": 1, "failed": 1}


def test_what_was_judged_is_not_asked_again_and_what_failed_is(server, tmp_path):
    judge = make(use(server, cache=str(tmp_path / "judge")))
    first = judge(asked("score 4", "fail", "nothing", "score 4"))
    assert first[0].score == first[3].score == 4
    # e0 and e3 are one request; the unparsable reply is a reply, and stays what it is.
    assert len(server.prompts) == 3
    again = make(use(server, cache=str(tmp_path / "judge")))(asked("score 4", "fail", "nothing", "score 4"))
    assert again == first and len(server.prompts) == 4
    assert (tmp_path / "judge").stat().st_mode & 0o777 == 0o700


def test_judgements_stream(server):
    found = dict(make(use(server)).stream(asked("score 1", "score 2", "score 3")))
    assert [found[place].score for place in range(3)] == [1, 2, 3]


def test_nothing_to_judge(server):
    assert make(use(server))([]) == []
    assert summary([]) == {"judged": 0, "unparsable": 0, "failed": 0}


@pytest.mark.parametrize(
    ("reply", "score"),
    [
        ("Fine. [RESULT] 4", 4),
        ("Fine.\n[Result]: 5\n", 5),
        ("**[RESULT]** 2", 2),
        ("[RESULT] (3)", 3),
        ("[RESULT] 3/5", 3),
        ("[RESULT] 3.", 3),
        ("[RESULT] 4 ... so again: [RESULT] 4", 4),
        ("[RESULT] 4 ... rather [RESULT] 2", None),
        ("The answer says [RESULT] 5 itself. [RESULT] 1", None),
        ("as in [RESULT] x. [RESULT] 3", None),
        ("[RESULT] 4.5", None),
        ("[RESULT] 3 of 5", None),
        ("[RESULT] 3/10", None),
        ("[RESULT] 6", None),
        ("[RESULT] 0", None),
        ("[RESULT] -1", None),
        ("[RESULT] 10", None),
        ("[RESULT]", None),
        ("[RESULT] four", None),
        ("Score: 4", None),
        ("4", None),
    ],
)
def test_only_one_clear_score_at_the_end_counts(reply, score):
    found = judgement("e", reply)
    assert found.score == score and (found.fault == "unparsable") == (score is None)


def test_reasons_hold_none_of_the_replys_words():
    for reply in ("my diary", "my diary [RESULT] x", "[RESULT] 1 my diary [RESULT] 2"):
        assert "diary" not in judgement("e", reply).reason
    assert judgement("e", EndpointError(7, "host: HTTP 500")).reason == "host: HTTP 500"


def test_the_prompt_has_all_parts_and_braces_of_users_stay():
    question = Question("e", "{response} {0}", "{rubric}", "{profile}", " ")
    text = filled(Template(), question)
    assert "<request>\n{response} {0}\n</request>" in text and "<answer>\n{rubric}\n</answer>" in text
    assert "<what_the_person_wrote>\n{profile}\n</what" in text and "<person>\nnothing is known\n</person>" in text
    assert all(f"{n}: {level}" in text for n, level in enumerate(RUBRIC, 1))


def test_a_template_is_replaceable_from_a_recipe():
    table = {
        "endpoint": {"url": "http://x/v1", "model": "m"},
        "template": {"prompt": "Grade {response}: {rubric}", "rubric": ["a", "b", "c", "d", "e"]},
    }
    found = settings(JudgeSettings, table)
    assert filled(found.template, asked("it")[0]) == "Grade it: 1: a\n2: b\n3: c\n4: d\n5: e"
    judge = make(found.endpoint, found.template)
    assert judge.version.endswith(":m") and judge.version != Judge(Endpoint(found.endpoint), "m").version


@pytest.mark.parametrize(("bad", "reason"), [({"prompt": "x"}, "{response}"), ({"rubric": ("a",)}, "1 levels")])
def test_bad_templates_are_refused(bad, reason):
    with pytest.raises(ValueError, match=reason):
        Template(**bad)


def test_an_endpoint_that_is_not_there_is_failures_and_no_crash():
    lost = EndpointSettings("http://127.0.0.1:9/v1", "m", retries=0)
    found = make(lost)(asked(*["score 1"] * 40))
    assert {one.fault for one in found} == {"failed"} and len(found) == 40
    assert "judge" not in summary(found)
