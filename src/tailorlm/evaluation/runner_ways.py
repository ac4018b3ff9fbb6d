"""From a recipe's rows to ways of answering: rows that want the same source for the same users share it.

Knows nothing of what a source or a context does. Source: design section 2; issue 4 (runner).
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tailorlm.assembly.compared import Compared, compared
from tailorlm.assembly.recipes import Recipe, plain
from tailorlm.assembly.sources import Sources
from tailorlm.assembly.wanted import Wanted, context_settings, wanted
from tailorlm.evaluation.floors import Common
from tailorlm.evaluation.plan import Method, Way
from tailorlm.evaluation.runner_desk import Desk, Shown
from tailorlm.evaluation.runner_drift import Asked, Drifting
from tailorlm.evaluation.runner_floors import Floors
from tailorlm.evaluation.runner_norms import Keeping
from tailorlm.evaluation.runner_sources import Keep, Sourced
from tailorlm.evaluation.runner_states import KeptStates, Unfinished
from tailorlm.plugins import find

SHOWN = frozenset({"context", "contexts", "max_tokens"})
"""What rows that share a source may differ in."""


def seeds(recipe: Recipe) -> tuple[int, ...]:
    """The seeds of the methods."""
    return recipe.eval.seeds or (recipe.seed,)


def scope(recipe: Recipe) -> str:
    """Whether contexts show the profile of the query's task, or of all tasks."""
    return recipe.eval.profiles


def ways(recipe: Recipe, desk: Desk, sources: Sources, common: Common, tasks: Sequence[str | None]) -> list[Way]:
    """The trivial answers, then every row with every seed, in the order of the recipe."""
    asked = Asked.of(recipe.eval.drift)
    found: list[Way] = [Floors(desk, common, tasks, seeds(recipe)[0])]
    for seed in seeds(recipe):
        for (_, control, users), rows in grouped(recipe, seed).items():
            one = wanted(recipe, rows[0], seed)
            shown = {
                row.name: Shown.of(find("contexts", row.context), context_settings(recipe, row), row.max_tokens)
                for row in rows
            }
            methods = [Method(row.name, row.adapter, row.context, about(recipe, row, one, seed)) for row in rows]
            rest = Unfinished(sources.folder, rows[0].name, training(recipe, rows[0], one, seed))
            made = partial(sources.prepared, one)
            keep: list[Keep] = [] if control else keeping(recipe, desk, sources.folder, methods, seed)
            keep.append(Drifting(sources.folder, desk, made, methods, seed, asked))
            found.append(Sourced(desk, made, shown, methods, seed, users, control, keep, rest))
    return found


def keeping(recipe: Recipe, desk: Desk, run: Path, methods: Sequence[Method], seed: int) -> list[Keep]:
    """What is kept of the users of rows that share a source."""
    named = [method for method in methods if method.name in recipe.eval.keep]
    return [Keeping(run, methods, seed), *(KeptStates(run, one, seed, desk.bench.backbone) for one in named)]


def grouped(recipe: Recipe, seed: int) -> Mapping[tuple[str, str, int], list[Compared]]:
    """The rows by source, control and users, in the order in which each source comes first."""
    found: dict[tuple[str, str, int], list[Compared]] = {}
    for row in compared(recipe.eval):
        found.setdefault((wanted(recipe, row, seed).key, row.control, row.users), []).append(row)
    return found


def about(recipe: Recipe, row: Compared, source: Wanted, seed: int) -> dict[str, Any]:
    """All that decides a method's answers: rows of other settings are never taken for them."""
    encoder, base = plain(recipe.encoder), plain(recipe.base)
    data = plain(recipe.data)
    del data["groups"]  # the source says whom it is trained on: another row's group changes no answer of this one
    return {
        "source": source.about(), "context": row.context, "contexts": plain(context_settings(recipe, row)),
        "control": row.control, "seed": seed, "max_tokens": row.max_tokens or recipe.max_tokens, "data": data,
        "tasks": plain(recipe.tasks), "profile": plain(recipe.profile),
        "encoder": {name: encoder[name] for name in encoder if name != "cache"},
        "base": {name: base[name] for name in base if name != "device"}, "batch": recipe.eval.batch,
        "users_at_once": recipe.eval.users_at_once,
        **({"profiles": scope(recipe)} if scope(recipe) != "task" else {}),
    }  # fmt: skip


def training(recipe: Recipe, row: Compared, source: Wanted, seed: int) -> dict[str, Any]:
    """All that decides how users are trained: what their rows show decides nothing of it."""
    said = about(recipe, row, source, seed)
    return {name: said[name] for name in said if name not in SHOWN} | {"max_tokens": recipe.max_tokens}
