"""The runner with stand-in methods: parts, resume after a kill, failures as rows, order, limits; no model."""

import json
import stat
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tailorlm.assembly.store import UserStore, limited, stored
from tailorlm.data.records import Example, Interaction, User
from tailorlm.evaluation import runner
from tailorlm.evaluation.plan import Cell, Chunk, Method, Plan
from tailorlm.evaluation.report_rows import method_of
from tailorlm.evaluation.results import parse
from tailorlm.evaluation.rows import MEASURED, Row, read_about, read_part, write_part
from tailorlm.evaluation.runner_answers import write_answers
from tailorlm.evaluation.runner_divided import divided
from tailorlm.evaluation.runner_results import read, results
from tailorlm.evaluation.tables import metric_table
from tailorlm.evaluation.tables_costs import harm_of

USERS = 7


def people(users: int = USERS, tasks: Sequence[str | None] = ("movie_tagging", "headline")) -> UserStore:
    pairs = []
    for n in range(users):
        user = User(f"u{n}", tuple(Interaction("a", "drama", task=tasks[0]) for _ in range(n)))
        asked = tuple(Example(f"u{n}-{t}", user.id, t, f"Tag this movie: {n}", "drama") for t in tasks)
        pairs.append((user, asked))
    return stored(pairs)


class Echo:
    """Answers "drama" for users whose number is even; fails where it is told to."""

    def __init__(self, names: Sequence[str], fails: str = "", seed: int = 0, users: int = 0, dies: int = 0) -> None:
        self.methods = [Method(name, "none", "none", {"name": name, "seed": seed}) for name in names]
        self.fails, self.seed, self.users, self.dies, self.parts = fails, seed, users, dies, 0

    def rows(self, chunk: Chunk, cells: Sequence[Cell]) -> Iterator[tuple[Cell, list[Row]]]:
        for cell in cells:
            self.parts += 1
            if self.dies and self.parts > self.dies:
                raise KeyboardInterrupt
            if cell.method.name == self.fails:
                raise RuntimeError("secret")
            found = []
            for query in chunk.of_task[cell.task]:
                right = int(query.user_id[1:]) % 2 == 0
                said = {"output": "drama" if right else "comedy", "score": float(right), "enrol_seconds": 0.5}
                found.append(cell.row(query, chunk.users[query.user_id], seconds=0.1, kept_bytes=8, **said))
            yield cell, found


def plan(folder: Path, *ways: Echo, users_at_once: int = 3, **splits: UserStore) -> Plan:
    return Plan(folder, splits or {"dev": people()}, ways, users_at_once)


def go(one: Plan, resume: bool = False) -> list[tuple[str, int]]:
    shown: list[tuple[str, int]] = []
    if not resume:
        runner.check_free(one.folder)
    runner.begin(one.folder)
    runner.run(one, lambda error: f"failed with {type(error).__name__}", lambda name, rows: shown.append((name, rows)))
    runner.finish(one)
    return shown


def rows(one: Plan) -> list[dict]:
    found = []
    for _, path in one.parts():
        for row in read_part(path):
            found.append({name: getattr(row, name) for name in Row.__slots__ if name not in MEASURED})
    return found


def test_a_row_an_example_in_private_parts(tmp_path: Path) -> None:
    one = plan(tmp_path / "rows", Echo(["a", "b+rag"]))
    shown = go(one)
    found = rows(one)
    assert len(found) == 2 * 2 * USERS == one.total() == sum(count for _, count in shown)
    assert {(row["method"], row["task"]) for row in found} == {
        (name, task) for name in ("a", "b+rag") for task in ("movie_tagging", "headline")
    }
    assert all(row["output"] == ("drama" if int(row["user_id"][1:]) % 2 == 0 else "comedy") for row in found)
    assert [row["history_items"] for row in found[:USERS]] == list(range(USERS))
    parts = sorted((tmp_path / "rows").rglob("*.parquet"))
    assert len(parts) == 2 * 2 * 3 and all(stat.S_IMODE(part.stat().st_mode) == 0o600 for part in parts)
    for part in parts:
        assert all(
            stat.S_IMODE(folder.stat().st_mode) == 0o700 for folder in part.parents if tmp_path in folder.parents
        )
    assert read_about(parts[0])["split"] == "dev"
    import pyarrow.parquet as pq

    assert pq.read_table(tmp_path / "rows").num_rows == len(found)  # a plain reader takes the whole folder


def test_a_killed_evaluation_goes_on_to_the_same_rows(tmp_path: Path) -> None:
    whole = plan(tmp_path / "whole", Echo(["a"]), Echo(["b"]))
    go(whole)
    killed = plan(tmp_path / "killed", Echo(["a"]), Echo(["b"], dies=2))
    with pytest.raises(KeyboardInterrupt):
        go(killed)
    done = set((tmp_path / "killed").rglob("*.parquet"))
    assert 0 < len(done) < len(list((tmp_path / "whole").rglob("*.parquet")))
    before = {part: part.stat().st_mtime_ns for part in done}
    again = plan(tmp_path / "killed", Echo(["a"], dies=0), Echo(["b"]))
    with pytest.raises(runner.OtherRows, match="was stopped: --resume goes on"):
        go(again)
    go(again, resume=True)
    assert rows(again) == rows(whole)
    assert again.ways[0].parts == 0  # nothing that was done was done again
    assert {part: part.stat().st_mtime_ns for part in done} == before
    with pytest.raises(runner.OtherRows, match="has the rows of an evaluation: --resume keeps them .* --overwrite"):
        go(again)
    assert rows(again) == rows(whole)
    runner.clear(again.folder)
    go(again)  # of no rows nobody needs to say what becomes of them
    assert again.ways[0].parts == 6 and rows(again) == rows(whole)


def test_the_state_names_the_parts_of_the_last_evaluation(tmp_path: Path) -> None:
    def said(one: Plan) -> list[str]:
        parts: list[str] = json.loads((one.folder / ".plan.json").read_text())["parts"]
        return parts

    whole = plan(tmp_path / "rows", Echo(["a", "b"]))
    go(whole)
    assert said(whole) == sorted(str(path.relative_to(whole.folder)) for path in whole.folder.rglob("*.parquet"))
    fewer = plan(tmp_path / "rows", Echo(["b"], users=3))  # a row less, and fewer users of the other
    go(fewer, resume=True)
    assert said(fewer) == [f"dev/seed-0/b/{task}/part-00000.parquet" for task in ("headline", "movie_tagging")]


def test_rows_of_another_recipe_or_other_data_are_refused(tmp_path: Path) -> None:
    go(plan(tmp_path / "rows", Echo(["a"])))
    other = plan(tmp_path / "rows", Echo(["new"]), Echo(["a"], seed=0))
    other.ways[1].methods[0].about["name"] = "changed"  # type: ignore[index]
    with pytest.raises(runner.OtherRows, match=r"another evaluation: rows.method.name: saved 'a', given 'changed'"):
        go(other, resume=True)
    assert not list((tmp_path / "rows").rglob("*/new/*"))  # said before anything is done
    pairs = [people()[place] for place in range(USERS)]
    item = Interaction("a", "drama", task="movie_tagging")
    for change in (
        {"history": (replace(item, output="secret"), item)}, {"history": (replace(item, input="secret"), item)},
        {"history": (replace(item, time=3.0), item)}, {"history": (item, replace(item, task="headline"))},
        {"profile": "secret"},
    ):  # fmt: skip
        changed = stored([(replace(user, **change) if user.id == "u2" else user, asked) for user, asked in pairs])
        with pytest.raises(runner.OtherRows, match="digest_of_people: .*items or given profiles are others") as caught:
            go(plan(tmp_path / "rows", Echo(["a"]), dev=changed), resume=True)
        assert "secret" not in str(caught.value)
    go(plan(tmp_path / "rows", Echo(["a"]), dev=stored(pairs)), resume=True)  # negative control
    with pytest.raises(runner.OtherRows, match=r"rows\.(digest_of_data|users)"):
        go(plan(tmp_path / "rows", Echo(["a"]), dev=people(USERS + 1)), resume=True)
    assert len(rows(plan(tmp_path / "rows", Echo(["a"])))) == 2 * USERS


def test_rows_of_a_base_with_other_weights_are_refused_where_both_are_known(tmp_path: Path) -> None:
    def of(base: str, where: str, *names: str) -> Plan:
        return replace(plan(tmp_path / where, Echo(names or ("a",))), base=base)

    go(of("one", "rows"))
    before = {part: part.stat().st_mtime_ns for part in (tmp_path / "rows").rglob("*.parquet")}
    for refused in (of("other", "rows"), of("other", "rows", "new", "a")):
        said = (
            r"another evaluation: rows.base_fingerprint: saved 'one', given 'other' \(the base model has other weights"
        )
        with pytest.raises(runner.OtherRows, match=said):
            runner.check(refused)
        with pytest.raises(runner.OtherRows, match=said):
            go(refused, resume=True)
    go(of("one", "rows", "a", "new"), resume=True)
    go(of("", "rows", "a", "new"), resume=True)  # in float16 it is not known
    assert {part: part.stat().st_mtime_ns for part in before} == before
    go(of("", "older"))  # as before versions noted it
    assert "base_fingerprint" not in read_about(next((tmp_path / "older").rglob("*.parquet")))
    go(of("one", "older"), resume=True)


def test_who_made_a_part_is_no_setting_of_its_method(tmp_path: Path) -> None:
    go(replace(plan(tmp_path / "rows", Echo(["a"])), base="one"))
    (part, *_) = (tmp_path / "rows").rglob("*.parquet")
    assert read_about(part)["base_fingerprint"] == "one" and "one" not in json.dumps(dict(method_of(part)))


def test_rows_of_nobody_knows_whom_are_refused(tmp_path: Path) -> None:
    one = plan(tmp_path / "rows", Echo(["a"]))
    go(one)
    for _, path in one.parts():
        about = read_about(path)
        del about["digest_of_people"]
        write_part(path, list(read_part(path)), about)
    with pytest.raises(runner.OtherRows, match="did not note whose items .* --overwrite"):
        go(one, resume=True)


def test_a_failing_method_is_recorded_and_the_others_go_on(tmp_path: Path) -> None:
    one = plan(tmp_path / "rows", Echo(["a", "bad", "c"], fails="bad"), Echo(["d"]))
    go(one)
    found = rows(one)
    by = {name: [row for row in found if row["method"] == name] for name in ("a", "bad", "d")}
    assert len(by["bad"]) == 2 * USERS and {row["failure"] for row in by["bad"]} == {"failed with RuntimeError"}
    assert all(row["output"] is None and row["score"] is None for row in by["bad"]) and "secret" not in json.dumps(
        found
    )
    assert all(row["failure"] is None for row in by["d"]) and len(by["d"]) == 2 * USERS
    result = results(one, read(one), {}, 50, 0)
    assert result["failures"]["bad"]["dev"] == {
        "rows": 2 * USERS, "failed": 2 * USERS, "reasons": {"failed with RuntimeError": 2 * USERS},
    }  # fmt: skip
    assert "bad" not in result["methods"] and result["methods"]["d"]["dev"]["average"] == pytest.approx(4 / 7)
    mended = plan(tmp_path / "rows", Echo(["a", "bad", "c"]), Echo(["d"]))
    go(mended, resume=True)
    assert not results(mended, read(mended), {}, 50, 0)["failures"]
    assert mended.ways[1].parts == 0  # only what had failed was tried again


def test_the_order_of_methods_changes_no_row(tmp_path: Path) -> None:
    one, other = plan(tmp_path / "1", Echo(["a", "b"])), plan(tmp_path / "2", Echo(["b", "a"]))
    go(one), go(other)
    key = lambda row: (row["method"], row["task"], row["example_id"])  # noqa: E731
    assert sorted(rows(one), key=key) == sorted(rows(other), key=key)


def test_fewer_users_and_several_splits_and_seeds(tmp_path: Path) -> None:
    ways = [Echo(["a"], seed=0), Echo(["a"], seed=1), Echo(["few"], users=2)]
    one = plan(tmp_path / "rows", *ways, dev=people(), other=people(4))
    go(one)
    found = rows(one)
    assert len([row for row in found if row["method"] == "a"]) == 2 * 2 * (USERS + 4)
    assert {row["user_id"] for row in found if row["method"] == "few"} == {"u0", "u1"}
    result = results(one, read(one), {"a": 3.0, "few": 40.0}, 50, 0)
    assert result["users"] == {"dev": USERS, "other": 4, "few": 2} and result["same_users"]["a"]["average"] == 0.5
    assert result["methods"]["a"].keys() == {"dev", "other"} and result["queries"] == 2 * (USERS + 4)
    took = result["timing"]["methods"]["a"]["dev"]
    assert took["enrol_seconds_per_user"] == 0.5 and took["seconds_per_instance"] == pytest.approx(0.1)
    assert took["prepare_seconds"] == 3.0 and took["kept_bytes_per_user"] == 8 and took["users"] == USERS
    assert result["timing"]["cumulative"]["a"][-1] == [USERS, pytest.approx(3.0 + USERS * 0.7)]


def test_tasks_that_none_of_the_first_users_is_asked_are_said(tmp_path: Path) -> None:
    pairs = []
    for n, task in enumerate(["headline"] * 3 + ["movie_tagging"] * 3):  # a file written task by task
        pairs.append((User(f"u{n}", ()), (Example(f"q{n}", f"u{n}", task, "Say", "drama"),)))
    ways = [Echo(["a"]), Echo(["few", "few+rag"], users=3), Echo(["few"], users=3, seed=1), Echo(["more"], users=4)]
    assert plan(tmp_path, *ways, dev=stored(pairs), other=people()).unasked() == [
        "few, few+rag: the first 3 users of dev are not asked movie_tagging",
        "few: the first 3 users of dev are not asked movie_tagging",
    ]
    assert plan(tmp_path, Echo(["a"]), Echo(["few"], users=1)).unasked() == []


class Babbling(Echo):
    """Answers what is no label to the first `odd` users, and the right one to the others."""

    def __init__(self, seed: int, odd: int) -> None:
        super().__init__(["a"], seed=seed)
        self.odd = odd

    def rows(self, chunk: Chunk, cells: Sequence[Cell]) -> Iterator[tuple[Cell, list[Row]]]:
        for cell, found in super().rows(chunk, cells):
            said = ["pardon?" if int(row.user_id[1:]) < self.odd else "drama" for row in found]
            yield cell, [replace(row, output=output) for row, output in zip(found, said, strict=True)]


def test_invalid_answers_of_several_seeds_are_counted_together(tmp_path: Path) -> None:
    one = plan(tmp_path / "rows", Babbling(0, 1), Babbling(1, 0), Babbling(2, 0), dev=people(tasks=["movie_tagging"]))
    go(one)
    made = results(one, read(one), {}, 50, 0)
    said = made["attributes"]["a"]["dev"]["movie_tagging"]
    assert said["invalid"] == 1 and said["accuracy"] == pytest.approx(1 - 1 / (3 * USERS))
    found = parse(made)
    assert harm_of(found, "a")["Invalid answers"] == "1"
    table = metric_table(found, "dev", "movie_tagging")
    assert table is not None
    cells = dict(zip(table.heads[1:], table.rows[0].cells, strict=True))
    assert cells["Invalid answers"].text == "1"


def test_answers_beside_each_other(tmp_path: Path) -> None:
    one = plan(tmp_path / "rows", Echo(["a"]), Echo(["few"], users=2))
    go(one)
    write_answers(tmp_path / "answers.jsonl", one, lambda user, task: [f"knows {user.id}"])
    lines = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert len(lines) == 2 * USERS and lines[0]["profile"] == ["knows u0"]
    assert lines[0]["outputs"] == {"a": "drama", "few": "drama"} and lines[-1]["outputs"] == {"a": "drama"}
    assert stat.S_IMODE((tmp_path / "answers.jsonl").stat().st_mode) == 0o600


def test_a_limit_counts_queries_of_each_task() -> None:
    store = people()
    kept = stored(limited((store[place] for place in range(len(store))), 2))
    assert kept.ids == ["u0", "u1"] and kept.asked == {"movie_tagging": 2, "headline": 2}
    assert len(stored(limited((store[place] for place in range(len(store))), 0))) == USERS


def test_one_bad_item_fails_alone_and_a_broken_device_fails_all() -> None:
    def work(items: Sequence[int]) -> list[int]:
        if 3 in items:
            raise ValueError("three")
        if 9 in items:
            raise RuntimeError("device")
        return [item * 10 for item in items]

    tried = divided(range(6), work)
    assert [item for one in tried for item in one.items] == list(range(6))
    assert [(list(one.items), str(one.error)) for one in tried if one.error] == [([3], "three")]
    assert sorted(n for one in tried if one.found for n in one.found) == [0, 10, 20, 40, 50]
    [one] = divided([7, 8, 9], work)
    assert isinstance(one.error, RuntimeError) and divided([], work) == []
