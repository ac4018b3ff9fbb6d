"""The public API: load or train a hypernetwork, personalise users in one pass, generate as each of them.

Knows nothing of evaluation or serving. Everything takes many users at once; one user is the same call.
Source: design section 2; P2P section 3.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.peft_files import directory_for, save_peft
from tailorlm.assembly import build, checkpoints
from tailorlm.assembly.benches import load_base, make_bench, make_encoder, make_profilers
from tailorlm.assembly.fitting import Fit, fit, from_text
from tailorlm.assembly.histories import History, interactions
from tailorlm.assembly.kept import Profilers
from tailorlm.assembly.messages import check_sampling, conversations, people
from tailorlm.assembly.profilers import one_by_one, replies_of
from tailorlm.assembly.recipes import BaseSettings, Recipe, read, resolve
from tailorlm.backbone.generate import generate
from tailorlm.backbone.prompt import Messages
from tailorlm.data.records import User
from tailorlm.hypernet.checkpoint import check, push_to_hub
from tailorlm.hypernet.config import Meta
from tailorlm.methods import p2p
from tailorlm.methods.source import Bench
from tailorlm.profiles.cache import CachedEncoder
from tailorlm.profiles.endpoint import Settings as EndpointSettings
from tailorlm.profiles.profile import Profile
from tailorlm.profiles.replies import CachedReplies

ONE = "user"
"""The id of a user who was given as a history or a profile, without one."""


@dataclass(frozen=True)
class Personal:
    """Users' adapters in memory: `adapters[i]` is that of `user_ids[i]`, made from `profiles[i]`.

    `notes` says, by user id, what of a profile the network could not use; nothing there means all was used.
    """

    adapters: Adapters
    user_ids: tuple[str, ...]
    profiles: tuple[Profile, ...]
    base_id: str
    revision: str | None = None
    notes: Mapping[str, str] = field(default_factory=dict)
    made_by: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.user_ids)

    def __getitem__(self, user: str | int) -> "Personal":
        """One user's, by id or place. KeyError for an id that is not here, IndexError for a place."""
        if isinstance(user, str) and user not in self.user_ids:
            raise KeyError(f"no adapter of user {user!a}; there are {len(self)}, the first is {self.user_ids[0]!a}")
        place = self.user_ids.index(user) if isinstance(user, str) else range(len(self))[user]
        name = self.user_ids[place]
        notes = {name: self.notes[name]} if name in self.notes else {}
        one = (name,), (self.profiles[place],)
        return replace(self, adapters=self.adapters[place], user_ids=one[0], profiles=one[1], notes=notes)

    def strength(self, amount: float) -> "Personal":
        """The same adapters with `amount` times the effect: 0 is the base model, 1.5 the most. ValueError outside."""
        return replace(self, adapters=self.adapters.scaled(amount))

    def save_pretrained(self, directory: str | Path) -> list[Path]:
        """A PEFT folder per user below `directory`, in the order of `user_ids`; gives their paths.

        Names are the ids with everything but letters, digits, `_`, `-` and `.` escaped. Each is whole or not there.
        """
        folders = [directory_for(directory, user) for user in self.user_ids]
        save_peft(self.adapters, folders, self.base_id, self.revision, self.made_by)
        return folders


class Tailor:
    """A trained hypernetwork at work on its base model. Make one with `from_pretrained` or `train`."""

    def __init__(self, source: p2p.Source, meta: Meta, profilers: Profilers, use: checkpoints.Use) -> None:
        self.source, self.meta, self.profilers, self.use = source, meta, profilers, use

    @classmethod
    def from_pretrained(
        cls, source: str | Path, base: str | Path | None = None, device: str = "auto", dtype: str = "auto", *,
        revision: str | None = None, token: str | None = None, cache: str | Path | None = None,
        endpoint: EndpointSettings | None = None,
    ) -> "Tailor":  # fmt: skip
        """The hypernetwork in a folder or of a hub id, on the base and the encoder that it was trained with.

        `base`: where this machine has the base, if not where the checkpoint says; another model is refused.
        `cache`: a folder for text vectors. `endpoint`: who writes summaries, for a network trained on such; an
        address in a checkpoint is never used. Raises BadCheckpoint (ValueError) with expected and found.
        """
        hypernet, meta = checkpoints.fetch(source, revision, token)
        use = checkpoints.read_use(meta)
        name = str(meta.base_id if base is None else base)
        wanted = meta.base_revision if base is None else None
        backbone = load_base(BaseSettings(name=name, revision=wanted, dtype=dtype, device=device))
        checkpoints.check_base(meta, use, backbone)
        settings = replace(checkpoints.encoder_settings(meta, use), cache=str(cache or ""))
        encoder = make_encoder(settings, backbone)
        check(meta, encoder_id=encoder.id, encoder_size=encoder.size)
        profilers = make_profilers(replace(use.profile, endpoint=endpoint), use.known, backbone)
        bench = make_bench(backbone, one_by_one(profilers, ()), encoder, use.max_tokens, use.template)
        return cls(checkpoints.restore(bench, hypernet, meta, use), meta, profilers, use)

    @classmethod
    def train(
        cls, recipe: str | Path | Mapping[str, Any] | Recipe, out: str | Path, *, overrides: Sequence[str] = (),
        data: str | Path | None = None, resume: bool = False,
    ) -> "Tailor":  # fmt: skip
        """Train as a recipe (a TOML file, its tables, or resolved) says, in the folder `out`, and load the result."""
        if isinstance(recipe, Mapping):
            recipe = resolve(recipe)
        elif not isinstance(recipe, Recipe):
            recipe = read(recipe, overrides, data)
        checkpoint = build.train(recipe, Path(out), resume)
        return cls.from_pretrained(
            checkpoint, device=recipe.base.device, dtype=recipe.base.dtype, cache=recipe.encoder.cache or None,
            endpoint=recipe.profile.endpoint,
        )  # fmt: skip

    @property
    def bench(self) -> Bench:
        """The base model, the tasks, the profiler and the encoder."""
        return self.source.bench

    def save_pretrained(self, directory: str | Path) -> None:
        """The checkpoint: config.json and model.safetensors."""
        checkpoints.save(Path(directory), self.source, self.meta)

    def push_to_hub(self, repo_id: str, *, private: bool = True, token: str | None = None) -> str:
        """Upload the checkpoint; gives the commit's address."""
        assert self.source.hypernet is not None
        return push_to_hub(repo_id, self.source.hypernet, self.meta, private=private, token=token)

    def summarise(self, users: Sequence[User], task: str | None = None) -> list[Profile]:
        """What the users' histories show, in the words that the network was trained on."""
        return self.profilers(users, self.scope(task))

    def personalize(
        self, history: History | None = None, profile: str | Profile | Sequence[Profile] | None = None,
        users: User | Sequence[User] | None = None, *, task: str | None = None, strength: float = 1.0,
    ) -> Personal:  # fmt: skip
        """Adapters of one user (`history`, oldest first, or `profile`) or of many (`users`, profiles), in one pass.

        `profile` text is a statement a line; a network with fixed slots reads "facet = statement" lines. `task`:
        of a history's items that name none; otherwise needed, and allowed, where the network has an adapter for each
        task. Users whose profile the network cannot use in whole are in `notes`; none of them stops the others.
        ValueError for no input, or more than one, for ids given twice, and for profiles of another template.
        """
        if sum(given is not None for given in (history, profile, users)) != 1:
            raise ValueError("personalize needs exactly one of history=, profile= and users=")
        if profile is not None:
            return self._adapt(self._profiles(profile, task), strength)
        if history is not None:
            scope = task if self.use.scope == "task" else None
            return self._adapt(self.summarise([User(ONE, interactions(history, task))], scope), strength)
        return self._adapt(self.summarise(people(users), task), strength)

    def forget(self, user_id: str) -> int:
        """Delete this user's own vectors, and the endpoint's replies where it has a cache; how many. ValueError without
        either. What other users have, too, stays. A history given without an id is of user "user".
        """
        caches = (self.bench.encoder, replies_of(self.profilers))
        there = [cache for cache in caches if isinstance(cache, CachedEncoder | CachedReplies)]
        if not there:
            raise ValueError("there is no cache to forget from: no cache= was given")
        return sum(cache.forget_user(user_id) for cache in there)

    def generate(
        self, messages: str | Messages | Sequence[str | Messages], adapter: Personal | None = None,
        users: User | Sequence[User] | None = None, *, max_new_tokens: int = 256, temperature: float = 0.0,
        seed: int | None = None,
    ) -> str | list[str]:  # fmt: skip
        """The answer to one message or conversation, or a list of answers to a list of them.

        `adapter` (or `users`, personalised first) has one user, who asks everything, or one for each message, in
        order; without either the base model answers. Greedy at temperature 0. ValueError where numbers differ, and as
        messages.py says.
        """
        prompts, single = conversations(messages)
        check_sampling(max_new_tokens, temperature, seed)
        if users is not None:
            if adapter is not None:
                raise ValueError("generate needs adapter= or users=, not both")
            adapter = self.personalize(users=users)
        texts = generate(
            self.bench.backbone, self.source.injector, prompts, adapter.adapters if adapter else None,
            _rows(len(prompts), adapter), max_new_tokens, temperature, seed,
        )  # fmt: skip
        return texts[0] if single else texts

    def scope(self, task: str | None) -> str | None:
        """The task that profiles are about. ValueError where one is missing, or the network knows none."""
        if (task is not None) != (self.use.scope == "task"):
            tasks = ", ".join(self.use.tasks)
            if task is None:
                raise ValueError(f"this network makes an adapter for each task: give task= ({tasks})")
            raise ValueError("this network makes one adapter for all tasks: leave the task out")
        return task

    def _base(self) -> tuple[str, str | None]:
        """What exports name: the hub's id of the base, or the folder that it was loaded from here."""
        backbone = self.bench.backbone
        if Path(self.meta.base_id).is_absolute():
            return backbone.id, backbone.revision
        return self.meta.base_id, self.meta.base_revision

    def _profiles(self, profile: str | Profile | Sequence[Profile], task: str | None) -> list[Profile]:
        if isinstance(profile, str):
            scope = self.scope(task)
            return [from_text(ONE, profile, self.meta.facets, self.meta.template, scope)]
        return [profile] if isinstance(profile, Profile) else list(profile)

    def _adapt(self, profiles: Sequence[Profile], strength: float) -> Personal:
        ids = tuple(profile.user_id for profile in profiles)
        if not ids or len(set(ids)) != len(ids):
            twice = next((id for id in ids if ids.count(id) > 1), None)
            raise ValueError("no users to personalise" if twice is None else f"user {twice!a} is given twice")
        for template in sorted({profile.template for profile in profiles}):
            check(self.meta, template=template)
        if self.use.k or self.use.source == "history":
            raise ValueError(
                f'this network is told source "{self.use.source}" with k = {self.use.k}: items of a history, not '
                "a profile alone; `tailor eval` asks it, personalising is for networks told the profile, with k = 0"
            )
        fits: list[Fit] = [fit(profile, self.meta.facets) for profile in profiles]
        roster = self.source.enrol_profiles([one.profile for one in fits])
        assert roster.adapters is not None
        notes = {id: one.note for id, one in zip(ids, fits, strict=True) if one.note}
        base_id, revision = self._base()
        made_by = {"method": "p2p", "template": self.meta.template, "encoder": self.meta.encoder_id}
        made = Personal(roster.adapters.detach(), ids, tuple(profiles), base_id, revision, notes, made_by)
        return made if strength == 1.0 else made.strength(strength)


def _rows(prompts: int, adapter: Personal | None) -> torch.Tensor:
    """(N,) the adapter of each prompt, -1 for the base."""
    if adapter is None:
        return torch.full((prompts,), -1)
    if len(adapter) not in (1, prompts):
        raise ValueError(f"{len(adapter)} users' adapters for {prompts} messages: expected 1, or one for each")
    return torch.zeros(prompts, dtype=torch.long) if len(adapter) == 1 else torch.arange(prompts)
