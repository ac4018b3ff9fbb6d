"""Judging what was answered, against a server on this machine: retries, garbage, time-outs, resume, counts."""

import stat
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from judge_server import JudgeServer, good

from tailorlm.assembly.datasets import task_of
from tailorlm.assembly.judging import JudgeSettings, Template
from tailorlm.assembly.store import stored
from tailorlm.data.records import Example, User
from tailorlm.evaluation import runner, runner_judge
from tailorlm.evaluation.plan import Cell, Chunk, Method, Plan
from tailorlm.evaluation.rows import Row, read_about, read_as
from tailorlm.evaluation.runner_judge import Judging, judging
from tailorlm.evaluation.runner_judge_results import beside, judged, lines, unasked
from tailorlm.evaluation.runner_judge_sheets import Judged
from tailorlm.profiles import replies
from tailorlm.profiles.endpoint import Settings as EndpointSettings

TASKS = ("headline", "movie_tagging")
SCORES = {"base": {"u0": 1, "u1": 2, "u2": 3, "u3": 4}, "p2p": {"u0": 5, "u1": 4, "u2": 5, "u3": 4}}


class Said:
    """Everybody's answer is `NAME's word for USER`; what a user's answer is can be put over it."""

    def __init__(self, *names: str, seed: int = 0, **others: str | None) -> None:
        self.methods = [Method(name, "none", "none", {"name": name}) for name in names]
        self.seed, self.users, self.others = seed, 0, others

    def rows(self, chunk: Chunk, cells: Sequence[Cell]) -> Iterator[tuple[Cell, list[Row]]]:
        for cell in cells:
            found = []
            for query in chunk.of_task[cell.task]:
                output = self.others.get(query.user_id, f"{cell.method.name}'s word for {query.user_id}")
                said = {"failure": "broke"} if output is None else {"output": output, "score": 0.5}
                found.append(cell.row(query, chunk.users[query.user_id], **said))
            yield cell, found


def by_user(answer: str, before: int):
    name, _, user = answer.partition("'s word for ")
    return good(SCORES[name][user])


@pytest.fixture
def server() -> Iterator[JudgeServer]:
    found = JudgeServer(by_user)
    yield found
    found.close()


def plan(folder: Path, *ways: Said, users: int = 4, tasks: Sequence[str] = TASKS) -> Plan:
    pairs = [
        (
            User(f"u{n}", ()),
            tuple(Example(f"q{n}{t}", f"u{n}", t, f"Write a headline: diary {n}", "wrote") for t in tasks),
        )
        for n in range(users)
    ]
    made = Plan(folder / "rows", {"dev": stored(pairs)}, ways, 3)
    runner.begin(made.folder)
    runner.run(made, lambda error: type(error).__name__, lambda name, rows: None)
    return made


def told(user: User, task: str | None) -> str:
    if user.id == "silent":
        raise ValueError("no profile")
    return f"{user.id} likes tea"


def desk() -> SimpleNamespace:
    profile = SimpleNamespace(meet=lambda users: None)
    return SimpleNamespace(bench=SimpleNamespace(task_of=task_of), profile=profile, told=told, reason=str)


def work(server: JudgeServer, folder: Path, settings: JudgeSettings | None = None, **endpoint: object) -> Judging:
    use = settings or JudgeSettings()
    return judging(replace(use, endpoint=EndpointSettings(server.url, "m", **endpoint)), desk(), folder)


def go(one: Plan, judge: Judging) -> list[tuple[str, int]]:
    shown: list[tuple[str, int]] = []
    assert runner_judge.total(one, judge) >= 0
    runner_judge.run(one, judge, lambda name, rows: shown.append((name, rows)))
    return shown


def rows(folder: Path) -> list[Judged]:
    return [row for part in sorted((folder / "judged").rglob("*.parquet")) for row in read_as(Judged, part)]


def test_written_answers_of_models_are_judged_each_by_its_own_score(tmp_path: Path, server: JudgeServer) -> None:
    one, judge = plan(tmp_path, Said("base", "p2p", "floor_copy")), work(server, tmp_path)
    shown = go(one, judge)
    found = rows(tmp_path)
    assert {(row.method, row.user_id): row.score for row in found} == {
        (name, user): score for name, by in SCORES.items() for user, score in by.items()
    }  # no floor, and no label
    assert sum(count for _, count in shown) == runner_judge.total(one, judge) == len(found) == 8
    said = judged(one, judge, 200, 0)
    base, ours = said["methods"]["base"]["dev"]["headline"], said["methods"]["p2p"]["dev"]["headline"]
    assert base["mean"] == 2.5 and ours["mean"] == 4.5 and base["low"] < 2.5 < base["high"] and ours["high"] <= 5
    assert (base["judged"], base["unparsable"], base["failed"]) == (4, 0, 0) and not unasked(said)
    # Requests run side by side and come in any order.
    assert all(any(words in prompt for prompt in server.prompts) for words in ("diary 0", "u2 likes tea"))
    assert all(part.stat().st_mode & 0o777 == 0o600 for part in (tmp_path / "judged").rglob("*.parquet"))
    kept = tmp_path / "judge_replies"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700
    names = [str(path) for path in tmp_path.rglob("*")]
    assert not any(word in name for name in names for word in ("diary", "likes", "word"))


def test_what_the_judge_said_of_a_user_can_be_forgotten(tmp_path: Path, server: JudgeServer) -> None:
    go(plan(tmp_path, Said("base", "p2p")), work(server, tmp_path))
    kept = tmp_path / "judge_replies"
    assert replies.nobodys(kept) == 0
    assert replies.forget_user(kept, "u1") == 2 and replies.forget_user(kept, "u1") == 0  # of two methods
    assert replies.forget_user(kept, "u2") == 2


def test_the_judges_mean_is_one_more_metric_and_a_table(tmp_path: Path, server: JudgeServer) -> None:
    one, judge = plan(tmp_path, Said("base", "p2p")), work(server, tmp_path)
    go(one, judge)
    said = judged(one, judge, 200, 0)
    found = beside({"base": {"dev": {"headline": {"rouge1": 0.3}}}}, said["methods"])
    assert found["base"]["dev"]["headline"] == {
        "rouge1": 0.3, "judge": 2.5, "judged": 4.0, "unparsable": 0.0, "failed": 0.0,
    }  # fmt: skip
    assert found["p2p"]["dev"]["headline"]["judge"] == 4.5
    text = "\n".join(lines(said, {"dev": 4}))
    assert "Base model" in text and "2.50 (" in text and "4.50 (" in text and "not judged" in text
    assert lines({**said, "methods": {}}, {}) == []


def test_busy_and_broken_servers_are_asked_again(tmp_path: Path, server: JudgeServer) -> None:
    server.script = lambda answer, before: (
        (429, "", 0.0) if before == 0 else (500, "", 0.0) if before == 1 else by_user(answer, before)
    )
    one, judge = plan(tmp_path, Said("base")), work(server, tmp_path, retries=2)
    judge.line.judge.ask.endpoint.wait = lambda seconds: None
    go(one, judge)
    assert [row.score for row in rows(tmp_path)] == [1, 2, 3, 4] and set(server.times.values()) == {3}


def test_garbage_time_outs_and_refusals_are_rows_and_no_scores(tmp_path: Path, server: JudgeServer) -> None:
    def script(answer: str, before: int):
        if "u0" in answer:
            return 200, "my diary says [RESULT] 9", 0.0
        if "u1" in answer:
            return 200, "[RESULT] 4", 1.0
        return (400, "", 0.0) if "u2" in answer else by_user(answer, before)

    server.script = script
    one, judge = plan(tmp_path, Said("base")), work(server, tmp_path, retries=0, timeout=0.2)
    go(one, judge)
    found = {row.user_id: row for row in rows(tmp_path)}
    assert {user: row.fault for user, row in found.items()} == {
        "u0": "unparsable", "u1": "failed", "u2": "failed", "u3": "",
    }  # fmt: skip
    assert "no reply in 0.2 s" in found["u1"].reason and "HTTP 400" in found["u2"].reason
    assert all(row.score is None for user, row in found.items() if user != "u3")
    assert not any("diary" in row.reason for row in found.values())
    said = judged(one, judge, 50, 0)
    task = said["methods"]["base"]["dev"]["headline"]
    assert task["mean"] == 4.0 and "low" not in task  # one user: no interval, and no score out of nothing
    assert (task["judged"], task["unparsable"], task["failed"]) == (1, 1, 2) and unasked(said) == 2
    assert any("1 unparsable, 2 failed" in line for line in lines(said, {}))
    assert any(line.startswith("not judged, 1 times: 127.0.0.1: HTTP 400") for line in lines(said, {}))


def test_a_resumed_run_asks_only_what_failed(tmp_path: Path, server: JudgeServer) -> None:
    server.script = lambda answer, before: (503, "", 0.0) if "u2" in answer else by_user(answer, before)
    one = plan(tmp_path, Said("base", "p2p"))
    go(one, work(server, tmp_path, retries=0))
    assert len(server.prompts) == 8 and [row.fault for row in rows(tmp_path)].count("failed") == 2
    server.script = by_user
    shown = go(one, work(server, tmp_path, retries=0))
    assert len(server.prompts) == 10  # the two that failed
    assert sum(count for _, count in shown) == 8 and {row.fault for row in rows(tmp_path)} == {""}
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "judged").rglob("*.parquet")}
    go(one, work(server, tmp_path, retries=0))
    assert len(server.prompts) == 10  # not a single request more
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps


def test_a_killed_judge_goes_on_without_asking_twice(tmp_path: Path, server: JudgeServer) -> None:
    one, seen = plan(tmp_path, Said("base", "p2p")), []

    def dying(name: str, rows: int) -> None:
        seen.append(name)
        if len(seen) == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runner_judge.run(one, work(server, tmp_path, concurrency=1), dying)
    go(one, work(server, tmp_path, concurrency=1))
    # What was under way when it was killed, one request here, may be asked twice; nothing else is.
    assert len(rows(tmp_path)) == 8 and sum(server.times.values()) <= 9


def test_other_answers_words_or_models_are_judged_anew(tmp_path: Path, server: JudgeServer) -> None:
    go(plan(tmp_path, Said("base")), work(server, tmp_path))
    (tmp_path / "rows" / "dev").rename(tmp_path / "old")
    changed = plan(tmp_path, Said("base", u1="p2p's word for u1"))
    go(changed, work(server, tmp_path))
    assert {row.user_id: row.score for row in rows(tmp_path)} == {"u0": 1, "u1": 4, "u2": 3, "u3": 4}
    assert len(server.prompts) == 5  # only the new answer was asked about
    words = JudgeSettings(template=Template(prompt="Grade {rubric}: <answer>\n{response}\n</answer>"))
    go(changed, work(server, tmp_path, words))
    assert len(server.prompts) == 9 and "likes tea" not in server.prompts[-1]  # no {profile}: none is made
    part = next((tmp_path / "judged").rglob("*.parquet"))
    assert read_about(part)["judge"] == words.template.version + ":m"


def test_judgements_of_answers_that_are_failures_now_do_not_count(tmp_path: Path, server: JudgeServer) -> None:
    go(plan(tmp_path, Said("base", u0=None)), work(server, tmp_path))  # a part with a failure is made anew
    assert {row.user_id for row in rows(tmp_path)} == {"u1", "u2", "u3"}
    one, judge = plan(tmp_path, Said("base", u0=None, u1=None, u2=None)), work(server, tmp_path)
    shown = go(one, judge)
    assert {row.user_id for row in rows(tmp_path)} == {"u3"} and sum(count for _, count in shown) == 1
    found = judged(one, judge, 200, 0)["methods"]["base"]["dev"]["headline"]
    assert (found["judged"], found["mean"]) == (1, 4.0)


def test_a_lost_server_is_not_asked_for_every_part(tmp_path: Path, server: JudgeServer) -> None:
    server.script = lambda answer, before: (401, "", 0.0)
    one = plan(tmp_path, Said("base", "p2p"), Said("rag"), users=30)
    judge = work(server, tmp_path, retries=0, concurrency=1)
    go(one, judge)
    found = rows(tmp_path)
    assert len(found) == 90 and {row.fault for row in found} == {"failed"} and len(server.prompts) == 1
    assert sum("not sent" in row.reason for row in found) == 89
    said = judged(one, judge, 50, 0)
    assert "mean" not in said["methods"]["rag"]["dev"]["headline"] and "-" in "\n".join(lines(said, {}))


def test_which_answers(tmp_path: Path, server: JudgeServer) -> None:
    one = plan(tmp_path, Said("base", "floor_copy", u0=None))
    server.script = lambda answer, before: good(2)
    some = JudgeSettings(tasks=("movie_tagging",), rows=("floor_copy",), splits=("dev",))
    judge = work(server, tmp_path, some)
    go(one, judge)
    assert {(row.method, row.task, row.user_id) for row in rows(tmp_path)} == {
        ("floor_copy", "movie_tagging", f"u{n}") for n in (1, 2, 3)
    }  # u0 has no answer: nothing to judge
    runner_judge.check(some, one)
    for bad, said in (
        (JudgeSettings(tasks=("headlines",)), "eval.judge.tasks has 'headlines'; did you mean headline"),
        (JudgeSettings(splits=("ood",)), "eval.judge.splits has 'ood'; there are: dev"),
        (JudgeSettings(rows=("bas",)), "eval.judge.rows has 'bas'; did you mean base"),
    ):
        with pytest.raises(ValueError, match=said):
            runner_judge.check(bad, one)
    assert judging(JudgeSettings(), desk(), tmp_path) is None


def test_several_seeds_and_tasks(tmp_path: Path, server: JudgeServer) -> None:
    server.script = lambda answer, before: good(5 if "second" in answer else 3)
    ways = Said("base"), Said("base", seed=1, u0="second", u1="second", u2="second", u3="second")
    one = plan(tmp_path, *ways, tasks=("headline", "tweet"))
    judge = work(server, tmp_path)
    go(one, judge)
    found = judged(one, judge, 50, 0)["methods"]["base"]["dev"]
    assert {task: by["mean"] for task, by in found.items()} == {"average": 4.0, "headline": 4.0, "tweet": 4.0}
    assert found["headline"]["judged"] == 8 and "judged" not in found["average"]


def test_who_has_no_profile_is_recorded_and_the_others_are_judged(tmp_path: Path, server: JudgeServer) -> None:
    pairs = [(User(u, ()), (Example(f"q{u}", u, "headline", "Write a headline: x", "y"),)) for u in ("u1", "silent")]
    one = Plan(tmp_path / "rows", {"dev": stored(pairs)}, [Said("base", silent="p2p's word for u0")], 3)
    runner.run(one, str, lambda name, rows: None)
    go(one, work(server, tmp_path))
    assert {row.user_id: (row.score, row.fault, row.reason) for row in rows(tmp_path)} == {
        "u1": (2, "", ""), "silent": (None, "failed", "no profile"),
    }  # fmt: skip


def test_the_key_is_named_and_never_written(
    tmp_path: Path, server: JudgeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUDGE_KEY", "sk-secret")
    go(plan(tmp_path, Said("base")), work(server, tmp_path, key_variable="JUDGE_KEY"))
    assert set(server.keys) == {"Bearer sk-secret"}
    assert not any(b"sk-secret" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
