"""Makes metrics.json: answers and what scikit-learn and rouge-score say of them. Imports nothing of TailorLM.

Run: python tests/golden/generate_metrics.py  (rewrites the file beside it; the numbers must not change)
"""

import json
import random
from importlib.metadata import version
from pathlib import Path

import numpy as np
import sklearn
from rouge_score.rouge_scorer import RougeScorer
from rouge_score.scoring import BootstrapAggregator
from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error, mean_squared_error

FILE = Path(__file__).with_name("metrics.json")
LABELS = ["sci-fi", "dark comedy", "action", "twist ending", "classic", "romance"]
WORDS = ["the", "a", "cat", "dogs", "dog", "ran", "running", "runs", "Tokyo's", "co-op", "2024", "résumé", "naïve"]
WORDS += ["it's,", "end.", "—", "🔥", "NEW", "new"]


def labelled(rng: random.Random) -> dict[str, object]:
    """Answers of which some are no label; "romance" is neither said nor gold, "classic" is only said."""
    golds = rng.choices(LABELS[:4], (50, 30, 15, 5), k=120)
    other = [*LABELS[:5], "Action", "the tag is action", "", "comedy"]
    said = [gold if rng.random() < 0.6 else rng.choice(other) for gold in golds]
    said = [rng.choice(["", " ", "\n"]) + text + rng.choice(["", " "]) for text in said]
    places = [LABELS.index(gold) for gold in golds]
    answers = [LABELS.index(text.strip()) if text.strip() in LABELS else -1 for text in said]
    full = list(range(len(LABELS)))
    scores = {
        "accuracy": accuracy_score(places, answers),
        "f1_macro": f1_score(places, answers, labels=full, average="macro", zero_division=0),
        "f1_weighted": f1_score(places, answers, labels=full, average="weighted", zero_division=0),
        "invalid": answers.count(-1),
    }
    return {"labels": LABELS, "predictions": said, "targets": golds, "scores": scores}


def rated(rng: random.Random) -> dict[str, object]:
    """Answers of which some cannot be read: these stand for the end of the scale that is farther from gold."""
    golds = [rng.randint(1, 5) for _ in range(90)]
    said = [rng.choice([str(gold), str(rng.randint(1, 5)), f" {gold}.5", "five", "", "4 stars"]) for gold in golds]
    numbers = []
    for text, gold in zip(said, golds, strict=True):
        try:
            numbers.append(float(text))
        except ValueError:
            numbers.append(1.0 if gold > 3 else 5.0)
    scores = {
        "mae": mean_absolute_error(golds, numbers),
        "rmse": mean_squared_error(golds, numbers) ** 0.5,
        "invalid": sum(text in ("five", "", "4 stars") for text in said),
    }
    return {"predictions": said, "targets": [str(gold) for gold in golds], "scores": scores}


def written(rng: random.Random) -> dict[str, object]:
    """Texts with and without shared words; per row F, its mean, and LaMP's aggregate: a bootstrap's median."""
    golds = [" ".join(rng.choices(WORDS, k=rng.randint(1, 14))) for _ in range(60)]
    said = [" ".join(rng.sample(gold.split(), rng.randint(0, len(gold.split())))) for gold in golds]
    scorer, rows = RougeScorer(["rouge1", "rougeL"], use_stemmer=False), []
    np.random.seed(0)
    drawn = BootstrapAggregator()
    for gold, text in zip(golds, said, strict=True):
        scores = scorer.score(gold, text)
        drawn.add_scores(scores)
        rows.append({kind: score.fmeasure for kind, score in scores.items()})
    median = {kind: found.mid.fmeasure for kind, found in drawn.aggregate().items()}
    means = {kind: float(np.mean([row[kind] for row in rows])) for kind in ("rouge1", "rougeL")}
    return {"predictions": said, "targets": golds, "rows": rows, "scores": means, "bootstrap_median": median}


def main() -> None:
    rng = random.Random(20261121)
    versions = {"scikit-learn": sklearn.__version__, "rouge-score": version("rouge-score"), "numpy": np.__version__}
    found = {"labelled": labelled(rng), "rated": rated(rng), "written": written(rng)}
    FILE.write_text(json.dumps({"versions": versions, **found}, indent=1, ensure_ascii=True) + "\n")


if __name__ == "__main__":
    main()
