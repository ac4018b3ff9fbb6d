"""Our metrics against numbers that scikit-learn and rouge-score gave (generate_metrics.py), and the file itself."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tailorlm.metrics.classification import classification
from tailorlm.metrics.rating import rating
from tailorlm.metrics.text import rouge_rows, text_scores

FILE = Path(__file__).with_name("metrics.json")
GOLDEN: dict[str, Any] = json.loads(FILE.read_text())


def test_labels() -> None:
    golden = GOLDEN["labelled"]
    scores = classification(golden["predictions"], golden["targets"], golden["labels"])
    assert scores == pytest.approx(golden["scores"], abs=1e-12)
    assert scores["f1_macro"] != pytest.approx(scores["f1_weighted"], abs=0.01) and scores["invalid"] > 5


def test_ratings() -> None:
    golden = GOLDEN["rated"]
    assert rating(golden["predictions"], golden["targets"]) == pytest.approx(golden["scores"], abs=1e-12)


def test_texts() -> None:
    golden = GOLDEN["written"]
    rows = rouge_rows(golden["predictions"], golden["targets"])
    for kind in ("rouge1", "rougeL"):
        assert rows[kind] == pytest.approx([row[kind] for row in golden["rows"]], abs=1e-12)
    scores = text_scores(golden["predictions"], golden["targets"])
    assert {kind: scores[kind] for kind in golden["scores"]} == pytest.approx(golden["scores"], abs=1e-12)
    # LaMP's own aggregate is the median of a bootstrap over rows: near the mean, and another each time.
    assert scores["rouge1"] == pytest.approx(golden["bootstrap_median"]["rouge1"], abs=0.01)


def test_a_changed_answer_changes_the_number() -> None:
    golden = GOLDEN["labelled"]
    right = next(n for n, gold in enumerate(golden["targets"]) if golden["predictions"][n].strip() == gold)
    said = [text.upper() if n == right else text for n, text in enumerate(golden["predictions"])]
    scores = classification(said, golden["targets"], golden["labels"])
    assert scores["accuracy"] == pytest.approx(golden["scores"]["accuracy"] - 1 / len(said))


@pytest.mark.slow
def test_the_generator_makes_this_file(tmp_path: Path) -> None:
    source = FILE.with_name("generate_metrics.py").read_text()
    (tmp_path / "generate_metrics.py").write_text(source)
    subprocess.run([sys.executable, str(tmp_path / "generate_metrics.py")], check=True)
    made = json.loads((tmp_path / "metrics.json").read_text())
    assert {**made, "versions": None} == {**GOLDEN, "versions": None}
