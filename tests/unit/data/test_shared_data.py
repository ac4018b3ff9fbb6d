"""The real files of the shared folder, where it is there: every task reads, with the numbers its README gives."""

import json
import os
from functools import cache
from pathlib import Path

import pytest

from tailorlm.data.describe import describe
from tailorlm.data.folders import splits
from tailorlm.data.lamp import FORMS
from tailorlm.data.load import load
from tailorlm.data.longlamp import COLUMNS, review_input
from tailorlm.data.problems import Report

SHARED = Path(os.environ.get("TAILORLM_SHARED", Path(__file__).parents[4] / "shared")) / "data"
TASKS = {
    **{"LaMP_" + task.removeprefix("lamp_").upper(): task for task in FORMS},
    "longlamp_abstract_generation": "longlamp_abstract",
    "longlamp_topic_writing": "longlamp_topic",
    "longlamp_product_review": "longlamp_review",
    "personal_reddit": "personal_reddit",
    "empathic": "empathic",
}

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason=f"no shared data at {SHARED} (set TAILORLM_SHARED)")


@cache
def stats():
    return json.loads((SHARED / "stats.json").read_text())


@pytest.mark.parametrize("split", ["dev", "train"])
@pytest.mark.parametrize("folder", TASKS)
def test_every_task_reads(folder, split):
    assert set(splits(SHARED / folder)) == {"dev", "train"}
    report = Report()
    dataset = load(SHARED / folder, "skip", report, split)
    found, expected = describe(dataset, report), stats()[folder][split]
    # Three texts of the blog corpus have a NUL in them.
    assert report.count == (3 if (folder, split) == ("longlamp_topic_writing", "train") else 0)
    assert not report.notes or folder.startswith(("longlamp", "personal", "empathic"))
    assert set(found["tasks"]) == {TASKS[folder]}
    assert found["users"] == expected["users"]
    if folder not in ("personal_reddit", "empathic"):
        lost = 1 if report.count else 0
        assert found["queries"] == expected["queries"] - lost
    if expected.get("labels") and folder != "LaMP_1":
        assert found["tasks"][TASKS[folder]]["query_labels"] == dict(
            sorted(expected["labels"].items(), key=lambda pair: (-pair[1], pair[0]))
        )


@pytest.mark.parametrize("folder", [folder for folder in TASKS if folder.startswith("LaMP")])
def test_inputs_are_the_official_strings_and_histories_end_before_them(folder):
    rows = {row["id"]: row for row in json.loads((SHARED / folder / "dev_questions.json").read_text())}
    golds = json.loads((SHARED / folder / "dev_outputs.json").read_text())["golds"]
    dataset = load(SHARED / folder, split="dev")
    assert {one.id: one.target for one in dataset.examples} == {gold["id"]: gold["output"] for gold in golds}
    for one in dataset.examples:
        row, history = rows[one.id], dataset.users[one.user_id].history
        assert (one.input, one.user_id) == (row["input"], row["user_id"])
        assert len(history) == len(row["profile"])
        assert all(item.time is None or item.time < one.time for item in history)


def test_review_inputs_are_the_official_string():
    for line in (SHARED / "longlamp_product_review" / "dev.jsonl").read_text().splitlines():
        row = json.loads(line)
        assert review_input(row, "") == row["input"]


def test_longlamp_tasks_are_all_covered():
    assert set(COLUMNS) <= set(TASKS.values())
