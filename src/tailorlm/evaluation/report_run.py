"""A run's folder as the report reads it: results, scores of examples, the recipe, and a few users' answers.

Knows nothing of how it is shown, or of other runs. Source: issue 4 (report).
"""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tailorlm.evaluation.answers import Row, lots, shown_users
from tailorlm.evaluation.method_notes import notes
from tailorlm.evaluation.report_marks import Marks, read_marks
from tailorlm.evaluation.results import Results, read_results

FIRST, OTHERS = 2, 1
"""How many users' answers are shown of a run's first split, and of each other one."""


@dataclass(frozen=True)
class Run:
    """`name` is short and unique on the page; `recipe` is empty where the folder has none."""

    name: str
    folder: Path
    results: Results
    marks: Marks = field(default_factory=Marks)
    recipe: Mapping[str, Any] = field(default_factory=dict)


def read_runs(folders: Sequence[Path | str]) -> list[Run]:
    """The runs, each once. ValueError for a folder that is no run, one given twice, or a file that is no good."""
    paths = [checked(Path(folder)) for folder in folders]
    places = [path.resolve() for path in paths]
    twice = [path for path, place in zip(paths, places, strict=True) if places.count(place) > 1]
    if twice:
        raise ValueError(f"{twice[0]} is given twice: give each run once")
    return [read_run(path, name) for path, name in zip(paths, short_names(places), strict=True)]


def checked(folder: Path) -> Path:
    """The folder. ValueError where it has no results."""
    if not folder.is_dir():
        raise ValueError(f"{folder}: {'is a file' if folder.exists() else 'no such folder'}; expected a run's folder")
    if not (folder / "results.json").is_file():
        stopped = ": the evaluation was stopped, go on with --resume" if (folder / "rows").is_dir() else ""
        raise ValueError(f"{folder} has no results.json{stopped or '; expected a folder of `tailor eval` or demo'}")
    if not finished(folder / "rows" / ".plan.json"):
        raise ValueError(
            f"{folder}: an evaluation in it was stopped before its results were whole: go on with --resume"
        )
    return folder


def finished(state: Path) -> bool:
    """Whether the evaluation that made a folder's rows has written its results and answers, says its `.plan.json`."""
    try:
        said = json.loads(state.read_text(encoding="utf-8")) if state.exists() else {}
    except (ValueError, RecursionError) as wrong:
        raise ValueError(f"{state}: no readable JSON ({type(wrong).__name__})") from None
    return not (isinstance(said, dict) and said.get("finished") is False)


def short_names(paths: Sequence[Path]) -> list[str]:
    """As much of the end of each path as tells it from the others."""
    for parts in range(1, max(len(path.parts) for path in paths) + 1):
        names = ["/".join(path.parts[-parts:]) for path in paths]
        if len(set(names)) == len(names):
            return names
    raise AssertionError("different paths have different names")


def read_run(folder: Path, name: str) -> Run:
    """One run. ValueError names the file that cannot be read."""
    results = read_results(folder / "results.json")
    marks = read_marks(folder, results)
    return Run(name, folder, replace(results, notes=notes(marks.made)), marks, read_recipe(folder))


def read_recipe(folder: Path) -> dict[str, Any]:
    """The settings of a run; none where the folder has no recipe."""
    path = folder / "recipe.toml"
    if not path.exists():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as wrong:
        raise ValueError(f"{path}: no readable TOML ({type(wrong).__name__})") from None


def examples(run: Run) -> list[tuple[str, list[Row]]]:
    """A few users drawn by lot, each with a row a task: (split, rows). None where the run kept no answers."""
    path = run.folder / "answers.jsonl"
    if not path.exists():
        return []
    there = {split for split, _ in lots(path)}
    splits = [split for split in run.results.splits() if split in there]
    return shown_users(path, {split: OTHERS if place else FIRST for place, split in enumerate(splits)})
