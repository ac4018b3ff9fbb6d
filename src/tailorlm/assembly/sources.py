"""Adapter sources at work: each is prepared once, and shared by all rows that use it or begin at it.

What `tailor train` made is loaded as it saved it; any other source is prepared in a folder of its own below the run's,
and continued there if it was stopped. Knows nothing of what a source does, or of evaluation.
Source: design section 2 (an adapter source is prepared once, amortised over users).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import cast

import torch
from torch import Tensor

from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.peft_config import read_config
from tailorlm.adapters.peft_files import load_peft, read_metadata
from tailorlm.assembly import build, checkpoints, runs
from tailorlm.assembly.anchors import start_of
from tailorlm.assembly.datasets import pools, where
from tailorlm.assembly.population import Group
from tailorlm.assembly.remembered import Fitted, Remembered
from tailorlm.assembly.spent import nothing, spending, spent
from tailorlm.assembly.trained_on import TrainedOn, check, note, trained_on
from tailorlm.assembly.wanted import Wanted, standard
from tailorlm.backbone.inject import Injector
from tailorlm.data.records import Example, User
from tailorlm.methods import made_for
from tailorlm.methods.source import AdapterSource, Bench, Roster
from tailorlm.plugins import find
from tailorlm.training.examples import Pools

FOLDER = "sources"


@dataclass(frozen=True)
class Prepared:
    """A source ready to enrol users. `profile` knows whose profiles it could not read in whole; `before`: what the
    source begins at, which reads profiles of its own.
    """

    source: AdapterSource
    profile: Fitted
    before: "Prepared | None" = None

    @property
    def profiles(self) -> list[Fitted]:
        """What profiles go through where users are enrolled: its own, then those of all that it begins at."""
        return [self.profile, *(self.before.profiles if self.before is not None else ())]


class Sources:
    """Makes what is wanted, once. A source that could not be prepared fails the same way each time."""

    def __init__(
        self, built: build.Built, folder: Path, tasks: Sequence[str], resume: bool,
        groups: Mapping[str, Group] = MappingProxyType({}),
    ) -> None:  # fmt: skip
        """`tasks`: those that users are enrolled for where a source begins at another one's adapters of users.

        `groups`: by file, the users of sources that are not trained on the recipe's own.
        """
        self.built, self.folder, self.tasks, self.resume, self.groups = built, folder, tasks, resume, groups
        self._made: dict[str, Prepared | Exception] = {}
        self._people: dict[str, TrainedOn] = {}

    def prepared(self, wanted: Wanted) -> Prepared:
        """The source, prepared now if nobody asked before. Raises what preparing raises."""
        if wanted.key not in self._made:
            try:
                self._made[wanted.key] = self._prepare(wanted)
            except Exception as error:
                self._made[wanted.key] = error
        found = self._made[wanted.key]
        if isinstance(found, Exception):
            raise found
        return found

    def unknown(self, wanted: Wanted) -> list[str]:
        """Which of the source and what it begins at is there, and nobody noted whom it was trained on.

        ValueError, before anything is made, where one of them was trained on others than it would be now.
        """
        before = [] if wanted.start is None else self.unknown(wanted.start)
        path, folders = self._noted(wanted)
        return before if check(path, folders, lambda: self._trains(wanted)) else [*before, wanted.adapter]

    def seconds(self, wanted: Wanted) -> float | None:
        """What preparing it took, the sources that it begins at included; None where nobody counted."""
        own = spent(self._costs(wanted))
        before = 0.0 if wanted.start is None else self.seconds(wanted.start)
        return None if own is None or before is None else own + before

    def sharing(self, wanted: Wanted) -> float | None:
        """What preparing sharers took that it, or what it begins at, gives to users; None without any."""
        own = spent(self._costs(wanted)) if hasattr(wanted.settings, "sharers") else None
        before = None if wanted.start is None else self.sharing(wanted.start)
        return own if before is None else before + (own or 0.0)

    def notes(self) -> dict[str, str]:
        """By user, what of a profile the sources could not use."""
        made = [found for found in self._made.values() if isinstance(found, Prepared)]
        return {user: note for one in made for user, note in one.profile.notes.items()}

    def _prepare(self, wanted: Wanted) -> Prepared:
        profile = Fitted(self.built.bench.profile)
        bench = replace(self.built.bench, profile=profile, pools=self._pools(wanted))
        before = None if wanted.start is None else self.prepared(wanted.start)
        begins = None if before is None else before.source
        source = self._trained(wanted, bench, begins) or self._fresh(wanted, bench, begins)
        profile.facets = getattr(source, "facets", ())
        return Prepared(source, profile, before)

    def _trained(self, wanted: Wanted, bench: Bench, before: AdapterSource | None) -> AdapterSource | None:
        """What `tailor train` makes: from the run's folder, trained now if it is not there yet."""
        if self._standard(wanted, "mt_lora"):
            if not (self.folder / build.SHARED / "adapter_config.json").exists():
                build.train_shared(self.built, self.folder, self.resume)
            return Shared(bench, shared_lora(self.folder / build.SHARED, bench))
        if not self._standard(wanted, "p2p"):
            return None
        if not (self.folder / build.CHECKPOINT / "config.json").exists():
            begins = before.shared if isinstance(before, Shared) else None
            build.train_network(self.built, self.folder, self.resume, begins)
        hypernet, meta = checkpoints.fetch(self.folder / build.CHECKPOINT, None, None)
        use = checkpoints.read_use(meta)
        checkpoints.check_base(meta, use, bench.backbone)
        return cast(AdapterSource, checkpoints.restore(bench, hypernet, meta, use))

    def _fresh(self, wanted: Wanted, bench: Bench, before: AdapterSource | None) -> AdapterSource:
        """Any other source, in a folder whose name says what it is."""
        folder = self._folder(wanted)
        begins, people = None if before is None else start_of(before, self.tasks), self._group(wanted)
        source: AdapterSource = find("methods", wanted.adapter).Source(bench, wanted.settings, begins)
        ready = self.built.bench.profile
        more = nothing
        if isinstance(ready, Remembered):
            ready.paid, more = set(), lambda: ready.spared
        note(*self._noted(wanted), lambda: self._trains(wanted))
        try:
            with spending(self._costs(wanted), more):
                source.prepare(people.train, folder, folder.exists(), people.held)
        except BaseException:
            if source.injector is not None:
                source.injector.clear()  # what training had put into the model would answer for others
            raise
        return source

    def _folder(self, wanted: Wanted) -> Path:
        return self.folder / FOLDER / f"{wanted.adapter}-{wanted.key}"

    def _noted(self, wanted: Wanted) -> tuple[Path, tuple[Path, ...]]:
        """Where it is noted whom the source was trained on, and the folders of what it became."""
        if self._plainly(wanted):
            return build.noted(self.folder, wanted.adapter)
        return self._costs(wanted).with_suffix(".people.json"), (self._folder(wanted),)

    def _trains(self, wanted: Wanted) -> TrainedOn:
        """Whom the source is trained on, read once for all sources."""
        if wanted.train not in self._people:
            data, group = self.built.recipe.data, self._group(wanted)
            self._people[wanted.train] = trained_on(where(data, wanted.train or data.train), group.train, group.held)
        return self._people[wanted.train]

    def _group(self, wanted: Wanted) -> Group:
        """Whom the source is trained on."""
        return self.groups[wanted.train] if wanted.train else Group(self.built.users, self.built.held)

    def _pools(self, wanted: Wanted) -> Pools:
        """The items of these users, where pairs need negatives: never those of another source's users."""
        if not wanted.train:
            return self.built.bench.pools
        return pools(self.groups[wanted.train].train)

    def _standard(self, wanted: Wanted, adapter: str) -> bool:
        return wanted.key == standard(self.built.recipe, adapter).key

    def _plainly(self, wanted: Wanted) -> bool:
        return wanted.adapter in runs.TRAINED and self._standard(wanted, wanted.adapter)

    def _costs(self, wanted: Wanted) -> Path:
        name = wanted.adapter if self._plainly(wanted) else f"{wanted.adapter}-{wanted.key}"
        return build.costs(self.folder, name)


class Shared:
    """One adapter for everybody, given: a source that was prepared before."""

    def __init__(self, bench: Bench, adapters: Adapters) -> None:
        self.shared = adapters
        self.injector: Injector | None = Injector(bench.backbone.model, adapters.space)

    def prepare(self, users: Sequence[User], directory: Path, resume: bool = False, held: Sequence[User] = ()) -> None:
        """Nothing: it is given."""

    def enrol(self, users: Sequence[User], tasks: Sequence[str] = ()) -> Roster:
        """The one adapter, the same for each user."""
        return Roster(self.shared, {(user.id, None): 0 for user in users}, shared=True)

    def of_all(self, tasks: Sequence[str] = ()) -> Adapters:
        """The one adapter, whatever the tasks."""
        return self.shared

    def adapters(self, requests: Sequence[Example], roster: Roster) -> tuple[Adapters | None, Tensor]:
        """The one adapter for every request (N)."""
        return roster.adapters, torch.tensor(roster.index(requests))


def shared_lora(folder: Path, bench: Bench) -> Adapters:
    """MT-LoRA as training saved it. ValueError where that was on other weights of a base of this name."""
    made, now = read_metadata(folder).get(build.BASE, made_for.ANY), made_for.base(bench.backbone)
    if made != now and made_for.ANY not in (made, now):
        raise ValueError(
            f"{folder} was trained on a base with weights of fingerprint {made}; {bench.backbone.id} has {now}: "
            "use that base, or another folder"
        )
    return load_peft(folder, bench.backbone.sites(read_config(folder).targets)).to(bench.backbone.device)
