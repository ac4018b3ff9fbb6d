"""Which of a file's users train and which are asked, where the recipe says so: [data.split].

    clusters    P2P's: parts train, random (users like those of training) and ood (users of isolated clusters), by the
                vectors of their profiles
    few_shot    PRISP's: parts target (asked), task and sharers (who train), by lot

Both papers divide each task's users by themselves (`by = "task"`), with numbers of their own where the task has some.
A split that was made before may be given (`file`). It is kept with the run (split.json): who goes on with the run asks
the same users. Knows nothing of how a split is made (split_making.py). Source: P2P section 4 and appendix H; PRISP
appendix A.2.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tailorlm.assembly.run_folders import own_split
from tailorlm.data import splits
from tailorlm.data.splits import Split

if TYPE_CHECKING:
    from tailorlm.assembly.recipes import Recipe

FILE, DEV = "split.json", "dev"
PARTS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "none": ((), (DEV,)),
    "clusters": (("train",), ("random", "ood")),
    "few_shot": (("task", "sharers"), ("target",)),
}
"""By kind: the parts that train, the parts that are asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSplit:
    """[data.split.tasks.NAME]: what of [data.split] is different for one task's users."""

    size: int | None = None
    low: int | None = None
    high: int | None = None
    task_share: float | None = None
    targets: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitSettings:
    """`by` "task": each task's users are divided by themselves, as `tasks` has it where it names the task.

    `file`: a split made before, below data.root (beside it, where that is a file): runs with other encoders or bases
    then ask the same users.
    `size`: users of each test set of `clusters` (0: the paper's 200, a tenth of fewer than 1,000); `low`, `high`: the
    numbers of clusters to try (0: those usual for so many users). `task_share`, `targets`: of `few_shot`.
    """

    kind: Literal["none", "clusters", "few_shot"] = "none"
    by: Literal["all", "task"] = "all"
    tasks: Mapping[str, TaskSplit] = field(default_factory=dict)
    file: str = ""
    size: int = 0
    low: int = 0
    high: int = 0
    task_share: float = 0.25
    targets: int = 100

    def __post_init__(self) -> None:
        if self.file and self.kind == "none":
            raise ValueError(
                f'data.split.file is {self.file!a} and data.split.kind "none": expected the kind of split that it holds'
            )
        if self.tasks and self.by == "all":
            raise ValueError(f'data.split.tasks has {next(iter(self.tasks))!a}, which needs data.split.by = "task"')
        for task in self.tasks:
            self.of(task)
        usual = self.low == self.high == 0
        if (
            self.size < 0
            or self.targets < 1
            or not (usual or 2 <= self.low <= self.high)
            or not 0 <= self.task_share < 1
        ):
            raise ValueError(
                f"data.split has size {self.size}, low {self.low}, high {self.high}, task_share {self.task_share}, "
                f"targets {self.targets}; expected a size of 0 or more, 2 <= low <= high (or both 0), a share below 1, "
                "and at least 1 target"
            )

    def of(self, task: str) -> "SplitSettings":
        """What holds for one task's users."""
        own = asdict(self.tasks[task]) if task in self.tasks else {}
        return replace(self, by="all", tasks={}, **{name: value for name, value in own.items() if value is not None})


def asked(recipe: "Recipe") -> tuple[str, ...]:
    """The splits of an evaluation: those of the recipe, or all that there are. ValueError for one that is not there."""
    kind = recipe.data.split.kind
    there = (*PARTS[kind][1], *((DEV,) if kind != "none" and recipe.data.dev is not None else ()))
    odd = [name for name in recipe.eval.splits if name not in there]
    if odd:
        how = (
            "" if kind != "none" else ': "random" and "ood" are of data.split.kind = "clusters", "target" of "few_shot"'
        )
        raise ValueError(f"eval.splits has {odd[0]!a}; there are: {', '.join(there)}{how}")
    return recipe.eval.splits or there


def trains(split: Split, kind: str) -> frozenset[str]:
    """The ids of those who train."""
    return frozenset(id for part in PARTS[kind][0] for id in split.part(part))


def given(settings: SplitSettings, root: Path, ids: Collection[str]) -> Split | None:
    """The split of `settings.file`, below `root` or beside it; None without one. `ids`: the training file's users.

    Who is in no part of it neither trains nor is asked. ValueError, with the file, for one that cannot be read, that
    lacks a part of its kind, or that divides other users.
    """
    if not settings.file:
        return None
    path = (root if root.is_dir() else root.parent) / settings.file
    found = splits.load(path)
    lacks = [part for some in PARTS[settings.kind] for part in some if part not in found.parts]
    if lacks:
        raise ValueError(
            f"split {path}: no part {lacks[0]!a}, which data.split.kind = {settings.kind!a} has; "
            f"there are: {', '.join(found.parts)}"
        )
    strangers = {id for part in found.parts.values() for id in part}.difference(ids)
    if strangers:
        raise ValueError(
            f"split {path}: {len(strangers)} of its users are not among the {len(ids)} of data.train, the first "
            f"{min(strangers)!a}: expected the split of these users"
        )
    return found


def kept(recipe: "Recipe", folder: Path) -> Split | None:
    """The split that a run began with; None where there is none, or the recipe has none."""
    path = folder / FILE
    return splits.load(path) if recipe.data.split.kind != "none" and path.exists() else None


def keep(split: Split | None, folder: Path) -> None:
    """Save the split of a run, with ids only. ValueError where the run began with another."""
    if split is None:
        return
    new = not (folder / FILE).exists()
    splits.keep(split, folder / FILE)
    if new:
        own_split(folder)
