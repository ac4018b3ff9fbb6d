"""What `tailor eval` compares: a row of its table is an adapter source times a context, as the recipe writes it.

A name in `eval.rows` is such a row written shorter: a preset of the papers' baselines, "SOURCE+CONTEXT", a source
alone, or a context alone (of the base). Knows nothing of what a source or a context does. Source: design section 2.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any, Literal

from tailorlm.assembly.drifting import DriftSettings
from tailorlm.assembly.judging import JudgeSettings
from tailorlm.plugins import names

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,79}")
FLOOR = "floor_"
"""What the names of rows without a model begin with."""
MOST_RESAMPLES = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A row: `settings` are put over [methods.ADAPTER], `context_settings` over [contexts.CONTEXT].

    `start`: whose adapters the source begins at: another row's or method's name, "base" for none, "" for what the
    recipe says (its `start` for p2p, none for others). `train`: the group of [data.groups] that the source is trained
    on; "" for [data] train. What it begins at has its own. `users`: the first so many of a split only; 0 is all.
    `max_tokens`: of its prompts and answers together; 0 is the recipe's.
    `control`: everybody is enrolled with a wrong profile: as somebody else of the split ("shuffled"), as a training
    user ("drawn"), with somebody's of another task ("across_tasks"), with the own words in another order
    ("words_shuffled"), or all alike, with the mean of training users' vectors ("mean_vector").
    """

    name: str
    adapter: str = "none"
    context: str = "none"
    start: str = ""
    train: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    context_settings: Mapping[str, Any] = field(default_factory=dict)
    users: int = 0
    max_tokens: int = 0
    control: Literal["", "shuffled", "drawn", "across_tasks", "words_shuffled", "mean_vector"] = ""

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name) or self.name.startswith(FLOOR):
            raise ValueError(
                f"eval.methods has the name {self.name!a}; expected letters, digits and _ . + - (80 at most), "
                f"not beginning with {FLOOR}"
            )
        for name in ("users", "max_tokens"):
            if getattr(self, name) < 0:
                raise ValueError(f"eval.methods {self.name}: {name} is {getattr(self, name)}; expected at least 0")
        if self.train and self.adapter == "none":
            raise ValueError(f"eval.methods {self.name}: train is {self.train!a}, and the base is not trained")


PRESETS = {
    row.name: row
    for row in (
        Compared(name="base"),
        Compared(name="base_profile", context="profile_only"),
        Compared(name="mt_lora", adapter="mt_lora"),
        Compared(name="p2p", adapter="p2p"),
        Compared(name="p2p_shuffled", adapter="p2p", control="shuffled"),
        Compared(name="oppu", adapter="oppu", start="mt_lora"),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalSettings:
    """`tailor eval`: `rows` by name, then `methods` in whole, each on every split with every seed.

    `splits`: parts of [data.split] and "dev"; () is all there are. `seeds`: of the methods; () is the recipe's own.
    `limit`: queries of each task and split, 0 is all. `oppu_users`: how many users the preset oppu trains. `batch`:
    prompts at once; `users_at_once`: users enrolled, and held in memory, at once. `resamples`: draws of the bootstrap.
    `profiles`: contexts show the profile of the query's "task", as in both papers, or of "all" tasks. `judge`: which
    language model says how well answers fit (judging.py); None is nobody. `drift`: on which prompts (drifting.py).
    `keep`: rows whose users' adapters, and states of training, are kept in the run's folder.
    """

    rows: tuple[str, ...] = ("base", "mt_lora", "p2p", "p2p_shuffled")
    methods: tuple[Compared, ...] = ()
    splits: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    limit: int = 0
    oppu_users: int = 32
    batch: int = 32
    users_at_once: int = 256
    resamples: int = 1000
    profiles: Literal["task", "all"] = "task"
    judge: JudgeSettings | None = None
    drift: DriftSettings = field(default_factory=DriftSettings)
    keep: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("oppu_users", "batch", "users_at_once", "resamples"):
            if getattr(self, name) < 1:
                raise ValueError(f"eval.{name} is {getattr(self, name)}; expected at least 1")
        if self.resamples > MOST_RESAMPLES:
            raise ValueError(f"eval.resamples is {self.resamples}; expected at most {MOST_RESAMPLES:,}: all are held")
        if self.limit < 0:
            raise ValueError(f"eval.limit is {self.limit}; expected at least 0")
        for name in ("splits", "seeds"):
            twice = [one for one in getattr(self, name) if getattr(self, name).count(one) > 1]
            if twice:
                raise ValueError(f"eval.{name} has {twice[0]!a} twice; expected each once")


def compared(settings: EvalSettings) -> tuple[Compared, ...]:
    """All rows, in the order of the recipe. ValueError for an unknown name, a name given twice, or no row at all."""
    rows = (*(named(text, settings.oppu_users) for text in settings.rows), *settings.methods)
    if not rows:
        raise ValueError(f"eval.rows and eval.methods are empty; there are: {', '.join(known())}")
    found = [row.name for row in rows]
    twice = [name for name in found if found.count(name) > 1]
    if twice:
        raise ValueError(f"eval has two rows {twice[0]!a}: give each row its own name")
    for name in settings.keep:
        if name not in found:
            raise ValueError(f"eval.keep has {name!a}, which is no row; {nearest(name, found)}")
        if rows[found.index(name)].control:
            raise ValueError(f"eval.keep has {name!a}, whose users are enrolled with a wrong profile: keep another row")
    there = {kind: names(kind) for kind in ("methods", "contexts")}
    for row in rows:
        for kind, name in (("methods", row.adapter), ("contexts", row.context)):
            if name not in there[kind]:
                raise ValueError(f"eval row {row.name!a}: no {name!a} in {kind}; {nearest(name, there[kind])}")
    return rows


def named(text: str, oppu_users: int) -> Compared:
    """The row that a name in `eval.rows` stands for. ValueError with the nearest valid names for another."""
    if text in PRESETS:
        row = PRESETS[text]
        return replace(row, users=oppu_users) if row.adapter == "oppu" else row
    adapter, plus, context = text.partition("+")
    if plus:
        return Compared(name=text, adapter=adapter, context=context)
    if text in names("methods"):
        return Compared(name=text, adapter=text)
    if text in names("contexts"):
        return Compared(name=text, context=text)
    raise ValueError(f"eval.rows has {text!a}; {nearest(text, known())}; or SOURCE+CONTEXT, or [[eval.methods]]")


def known() -> list[str]:
    """The names that `eval.rows` understands, but for SOURCE+CONTEXT."""
    return list(dict.fromkeys((*PRESETS, *names("methods"), *names("contexts"))))


def nearest(name: str, valid: Sequence[str]) -> str:
    """`did you mean x? there are: ...`."""
    close = get_close_matches(name, valid, n=1, cutoff=0.5)
    return (f"did you mean {close[0]}? " if close else "") + f"there are: {', '.join(valid)}"
