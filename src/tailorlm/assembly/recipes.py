"""What a recipe may say, and how a TOML file becomes it. docs/cli.md has the tables in words.

Knows nothing of what a method's table means: each method's own `Settings` reads it. Source: design section 5.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from os.path import normpath
from pathlib import Path
from typing import Any, Literal, cast

from tailorlm import recipe as toml
from tailorlm.assembly import variants
from tailorlm.assembly.compared import Compared, EvalSettings, compared, nearest
from tailorlm.assembly.shown import as_shown, check_contexts
from tailorlm.assembly.splitting import SplitSettings
from tailorlm.methods.held import check_monitor
from tailorlm.plugins import find
from tailorlm.profiles.encode import MINILM
from tailorlm.profiles.endpoint import Settings as EndpointSettings
from tailorlm.profiles.templates import Template
from tailorlm.training.settings import TrainSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseSettings:
    """The language model: a hub id or a folder."""

    name: str
    revision: str | None = None
    dtype: str = "auto"
    device: str = "auto"
    checkpointing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSettings:
    """Where the users are; paths are below `root` (`--data`), empty is `root` itself.

    Without `dev`, `holdout` (a share) of the training file's users are kept for `tailor eval`. `validation` (a share;
    0: none) of the training users are not trained on but evaluated meanwhile. `queries`: training users' answered
    queries are training items too. `held`: a dev user without queries is asked the last so many items of the history.
    `users`, `dev_users`: at most so many, in the order of the file; 0 is all. `split` (splitting.py): who of the
    training file is asked instead of those of `holdout`. `protocol` (protocols.py): "user", nobody trains and is asked;
    "time", who is asked trains, too, with what is before; without `dev`, everybody is asked. `groups`: files of other
    training users, by a name that rows of the evaluation say (`train`).
    """

    root: str = ""
    train: str = ""
    train_split: str | None = None
    dev: str | None = None
    dev_split: str | None = None
    holdout: float = 0.1
    validation: float = 0.0
    queries: bool = True
    held: int = 2
    users: int = 0
    dev_users: int = 0
    on_error: Literal["stop", "skip"] = "stop"
    protocol: Literal["user", "time"] = "user"
    split: SplitSettings = field(default_factory=SplitSettings)
    groups: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 < self.holdout < 1:
            raise ValueError(f"data.holdout is {self.holdout}; expected a share between 0 and 1")
        if self.protocol == "time" and self.split.kind != "none":
            raise ValueError(
                f'data.protocol is "time", which divides everybody\'s time, and data.split.kind {self.split.kind!r} '
                "divides users: expected one of the two"
            )
        if not 0 <= self.validation < 1:
            raise ValueError(f"data.validation is {self.validation}; expected 0 (none) or a share below 1")
        for name in ("held", "users", "dev_users"):
            if getattr(self, name) < 0:
                raise ValueError(f"data.{name} is {getattr(self, name)}; expected at least 0")
        for name, path in self.groups.items():
            if not path:
                raise ValueError(f"data.groups.{name} is empty; expected a file of users below data.root")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileSettings:
    """How a history is put into words.

    `statistical` counts (`labels`: with the tasks' own label lists; `norms`: ratings compared with what training
    users give to the same words). `given` is the data's own profile text. `llm` asks the base model, or `endpoint`
    where there is one, in the words of `template`. `given_or_llm`: a user's own text where the data give one, else as
    `llm`.
    """

    kind: Literal["statistical", "given", "llm", "given_or_llm"] = "statistical"
    labels: bool = True
    norms: bool = False
    template: Template = field(default_factory=Template)
    endpoint: EndpointSettings | None = None
    max_new_tokens: int = 256

    @property
    def written(self) -> bool:
        """Whether a language model writes profiles."""
        return self.kind in ("llm", "given_or_llm")


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderSettings:
    """What turns statements into vectors: a sentence-transformers model, or the `base` model's own states.

    `on_long`: a text over the encoder's limit stops the run, or is cut and counted. `cache`: a folder, or none.
    `instruction` stands before every text, and is a part of what the encoder is.
    """

    kind: Literal["sentence", "base"] = "sentence"
    name: str = MINILM
    pooling: Literal["mean", "last"] = "mean"
    on_long: Literal["error", "truncate"] = "error"
    cache: str = ""
    instruction: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSettings:
    """`template`: the words in which tasks are asked, a file of templates/. ValueError with those that there are."""

    template: str = "official"

    def __post_init__(self) -> None:
        find("templates", self.template)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A whole run. `start`: P2P begins at MT-LoRA, or at the base. `max_tokens`: prompt and answer together."""

    base: BaseSettings
    seed: int = 0
    start: Literal["mt_lora", "base"] = "mt_lora"
    max_tokens: int = 1024
    data: DataSettings = field(default_factory=DataSettings)
    tasks: TaskSettings = field(default_factory=TaskSettings)
    profile: ProfileSettings = field(default_factory=ProfileSettings)
    encoder: EncoderSettings = field(default_factory=EncoderSettings)
    methods: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    contexts: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    eval: EvalSettings = field(default_factory=EvalSettings)

    def __post_init__(self) -> None:
        if self.max_tokens < 2:
            raise ValueError(f"max_tokens is {self.max_tokens}; expected at least 2, a prompt's and an answer's")


def read(path: str | Path, overrides: Sequence[str] = (), data: str | Path | None = None) -> Recipe:
    """The recipe of a TOML file with `--set` overrides and `--data`. ValueError says what is wrong where."""
    table = variants.load(path, overrides)
    if data is not None:
        table = {**table, "data": {**table.get("data", {}), "root": str(data)}}
    return resolve(table)


def resolve(table: Mapping[str, Any]) -> Recipe:
    """The recipe of a table; every method's table is checked, and completed with the seed and the defaults."""
    recipe = toml.settings(Recipe, table)
    named = ["mt_lora", "p2p", *recipe.methods, *(row.adapter for row in compared(recipe.eval))]
    whole = {name: plain(method(recipe, name)) for name in dict.fromkeys(named)}
    complete = toml.settings(Recipe, {**plain(recipe), "methods": whole})
    check_contexts(complete.contexts)
    check_start(complete)
    check_validation(complete)
    for row in compared(complete.eval):
        trained_on(complete.data, row)
    return complete


def check_start(recipe: Recipe) -> None:
    """ValueError where P2P begins at MT-LoRA and the two do not go together."""
    if recipe.start == "base":
        return
    shared, own = (find("methods", name) for name in ("mt_lora", "p2p"))
    try:
        own.form(method(recipe, "p2p"), shared.form(method(recipe, "mt_lora"), None))
    except ValueError as error:
        raise ValueError(f'methods.p2p begins at methods.mt_lora (start = "mt_lora"): {error}') from None


def trained_on(data: DataSettings, row: Compared) -> str:
    """The file whose users the row's source is trained on; "" is that of `train`, whatever it is called.

    ValueError for a group that is not there.
    """
    if row.train and row.train not in data.groups:
        there = nearest(row.train, tuple(data.groups)) if data.groups else "data.groups is empty"
        raise ValueError(f"eval row {row.name!a} trains on the group {row.train!a}; {there}")
    path = normpath(data.groups.get(row.train, data.train))
    return "" if path == normpath(data.train) else path


def check_validation(recipe: Recipe) -> None:
    """ValueError where a method evaluates while it trains and no training user is kept for it, or calls a loss good."""
    trains = {name: getattr(method(recipe, name), "train", None) for name in recipe.methods}
    for name, train in trains.items():
        if not isinstance(train, TrainSettings):
            continue
        try:
            check_monitor(train)
        except ValueError as error:
            raise ValueError(f"methods.{name}.{error}") from None
        if recipe.data.validation == 0 and (train.monitor or train.evaluate_every):
            raise ValueError(
                f"methods.{name}.train has monitor {train.monitor!r} and evaluate_every {train.evaluate_every}, and "
                "data.validation is 0: set it to the share of training users to evaluate, such as 0.05"
            )


def method(recipe: Recipe, name: str) -> Any:
    """The `Settings` of the method `name`; the recipe's seed is the method's own unless its table has one."""
    cls = find("methods", name).Settings
    table = seeded(cls, recipe.methods.get(name, {}), recipe.seed)
    return toml.settings(cls, table, f"methods.{name}")


def trained_as(recipe: Recipe, name: str) -> Any:
    """`method` with its rows written as evaluation writes prompts, which is how it is trained."""
    return as_shown(method(recipe, name), recipe.contexts, recipe.eval.profiles)


def seeded(cls: type, table: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """The table with the seed wherever the settings have one and the table does not say it."""
    names = {one.name: one for one in fields(cls)}
    filled = dict(table)
    if "seed" in names:
        filled.setdefault("seed", seed)
    inner = names["train"].default_factory if "train" in names else None
    if callable(inner) and "seed" in {one.name for one in fields(cast(Any, inner))}:
        filled["train"] = {"seed": seed, **filled.get("train", {})}
    return filled


def plain(settings: Any) -> dict[str, Any]:
    """A dataclass as tables of plain values, None left out: what TOML and JSON can say."""
    found = {one.name: getattr(settings, one.name) for one in fields(settings)}
    return {name: _plain(value) for name, value in found.items() if value is not None}


def _plain(value: Any) -> Any:
    if hasattr(value, "__dataclass_fields__"):
        return plain(value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
