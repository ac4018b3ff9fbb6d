"""What methods, tasks and splits are called on paper, and what each method is, in plain words.

Knows nothing of scores. A name that is not here is shown as it is: a new method needs no entry. Where several runs
are on one page, a method that differs between them is named METHOD @ RUN.
"""

import re
from collections.abc import Iterable, Sequence

OF_RUN = " @ "
"""Between a method's name and its run's."""
METHODS: dict[str, tuple[str, str]] = {
    "floor_majority": (
        "Majority of all",
        "No model: the label or rating that everybody's histories hold most; written tasks copy the input.",
    ),
    "floor_user": (
        "Majority of the user",
        "No model: what this user's own history holds most; written tasks copy the input.",
    ),
    "floor_copy": ("Copy of the input", "No model: the input, copied."),
    "base": ("Base model", "The frozen model, told nothing about the user."),
    "base_profile": ("Base + profile", "The frozen model with the user's profile in its prompt."),
    "rag": ("RAG", "The nearest items of the user's history in the prompt; no adapter of the user's own."),
    "pag": (
        "PAG",
        "The user's profile in the prompt (P2P's PAG: and the nearest items); no adapter of the user's own.",
    ),
    "rag_pag": ("RAG + PAG", "The nearest items and the user's profile in the prompt; no adapter of the user's own."),
    "full_history": ("Full history", "The frozen model with as much of the user's history as fits in its prompt."),
    "mt_lora": ("MT-LoRA", "One adapter for everybody, trained on all training users together."),
    "np": ("Not personalised", "One adapter for everybody, trained on task data; nothing of the user in its prompts."),
    "task": ("Task LoRA", "One adapter for everybody, trained on task data; other users' adapters stand on it."),
    "text_to_lora": ("Text-to-LoRA", "A hypernetwork writes the adapter of a task from the task's description."),
    "anchor": ("Task-aware anchor", "The adapter of the task, made from its description: where PRISP begins."),
    "p2p": ("P2P", "The hypernetwork writes users' adapters from their profiles, in one pass."),
    "p2p_paper": (
        "P2P, one vector",
        "P2P as published, the whole profile in a single vector, in the few steps of the demo: it learns more slowly.",
    ),
    "p2p_shuffled": ("P2P, wrong profile", "A control: every user gets the adapter of somebody else."),
    "p2p_neighbour": (
        "P2P, a neighbour's profile",
        "A control: every user gets the adapter of the next user of the split.",
    ),
    "p2p_traits": ("P2P, true traits", "A ceiling: P2P is fed the hidden traits that made the user."),
    "one_sharer": ("One sharer's LoRA", "Everybody has the adapter that was trained for one other user."),
    "sharer": ("One sharer's LoRA", "Everybody has the adapter that was trained for one other user."),
    "per_pcs": ("Per-Pcs", "Each user's adapter is put together of pieces of other users' adapters."),
    "prime": ("PriME", "Each user's adapter is merged from similar users' adapters, by evolution."),
    "prisp": ("PRISP", "From an anchor adapter, a bridge and B are trained for each user on few own items."),
    "no_bridge": ("PRISP: no bridge", "PRISP that trains B alone."),
    "bridge_only": ("PRISP: bridge only", "PRISP that trains the bridge alone."),
    "full_lora": ("PRISP: full LoRA", "PRISP that trains A and B, without a bridge."),
    "pissa": ("PRISP: from PiSSA", "PRISP that begins at the largest parts of the model's own weights."),
    "lora_ga": ("PRISP: from LoRA-GA", "PRISP that begins at the largest parts of the user's gradient."),
    "oppu": ("OPPU", "An adapter trained for each user on the user's own history."),
}
CONTEXTS = {
    "profile_only": "profile",
    "rag": "RAG",
    "pag": "PAG",
    "rag_pag": "RAG + PAG",
    "full_history": "full history",
}
SPELLED = {"ia3": "IA3", "lora": "LoRA", "mt_lora": "MT-LoRA", "p2p": "P2P"}
"""Words of variants' names that are not written as they are."""
TASKS = {
    "movie_tagging": "Movie tags",
    "rating": "Ratings",
    "headline": "Headlines",
    "tweet": "Posts",
    "lamp_1": "LaMP-1, citations",
    "lamp_2m": "LaMP-2M, movie tags",
    "lamp_2n": "LaMP-2N, news categories",
    "lamp_3": "LaMP-3, product ratings",
    "lamp_4": "LaMP-4, headlines",
    "lamp_5": "LaMP-5, titles",
    "lamp_6": "LaMP-6, subjects",
    "lamp_7": "LaMP-7, tweets",
    "personal_reddit": "Personal Reddit",
    "empathic": "Empathetic Conversations",
    "longlamp_abstract": "LongLaMP, abstracts",
    "longlamp_topic": "LongLaMP, topics",
    "longlamp_review": "LongLaMP, reviews",
    "plain": "Answers",
    "": "Answers",
    "average": "Average",
}
SPLITS = {
    "random": "Unseen users",
    "ood": "Unseen kinds of users",
    "dev": "Users not trained on",
    "target": "Target users",
}
FOREMOST = (
    "p2p", "oppu", "base", "mt_lora", "prisp", "rag", "per_pcs", "prime", "pag", "text_to_lora", "base_profile",
)  # fmt: skip
"""Whose lines are drawn where there are more than a picture can show."""
CEILINGS = frozenset({"p2p_traits"})
"""Rows that see what nobody can see: not comparable with the rest."""


def plain_name(name: str) -> str:
    """A method's name without its run's."""
    return name.partition(OF_RUN)[0]


def method_name(name: str) -> str:
    """What a method is called: "p2p+rag" is "P2P + RAG", "prisp_50+rag" is "PRISP + RAG: 50"."""
    own, _, run = name.partition(OF_RUN)
    return f"{_titled(own)} ({run})" if run else _titled(own)


def _titled(name: str) -> str:
    adapter, plus, context = name.partition("+")
    known = adapter if adapter in METHODS else variant_of(adapter)
    if name in METHODS or not known or (plus and context not in CONTEXTS):
        return METHODS[name][0] if name in METHODS else name
    words = re.sub(r"mt_lora|[^_]+", lambda word: SPELLED.get(word[0], word[0]), adapter[len(known) + 1 :])
    rest = words.replace("_", " ")
    return f"{METHODS[known][0]}{f' + {CONTEXTS[context]}' if plus else ''}{f': {rest}' if rest else ''}"


def variant_of(name: str) -> str:
    """The method that a name begins with: prisp of prisp_no_task_data; the longest one, or none ("")."""
    return max((known for known in METHODS if name.startswith(f"{known}_")), key=len, default="")


def row_name(name: str, users: int | None) -> str:
    """What a method is called in a table, where one that served `users` users only says so."""
    return f"{method_name(name)} ({users} users)" if users else method_name(name)


def method_note(name: str, users: int | None = None, told: str = "") -> str:
    """What a method is; `users`: how many it was measured on, where that is not all; `told`: what its settings say."""
    own = plain_name(name)
    adapter, plus, context = own.partition("+")
    note = METHODS[own][1] if own in METHODS else METHODS[adapter][1] if plus and adapter in METHODS else ""
    note = told or note if adapter == "p2p" or adapter not in METHODS else note
    if own not in METHODS and note and context in CONTEXTS:
        note = f"{note[:-1]}; its prompts show {'the ' if context == 'profile_only' else ''}{CONTEXTS[context]}."
    return f"{note[:-1]}; measured on {users} of the unseen users." if note and users else note


def task_name(name: str) -> str:
    """What a task is called."""
    return TASKS.get(name, name.replace("_", " ").capitalize())


def family(name: str) -> str:
    """The method of METHODS that a name is: itself, its adapter, or that of which it is a variant; or ""."""
    own = plain_name(name)
    adapter = own.partition("+")[0]
    return next((one for one in (own, adapter, variant_of(adapter)) if one in METHODS), "")


def method_kind(name: str) -> str:
    """The style's name for a method's rows and marks."""
    return {"p2p": "ours", "oppu": "tuned"}.get(plain_name(name), "plain")


def split_name(name: str) -> str:
    """What a split is called."""
    return SPLITS.get(name, name)


def split_heading(name: str, users: int | None) -> str:
    """What a split is called, with its number of users where it is known."""
    return f"{split_name(name)} ({users} of them)" if users else split_name(name)


def foremost(names: Sequence[str], most: int) -> set[str]:
    """All names where there are `most` at most; else those that matter most to a reader, then the first others."""

    def place(name: str) -> tuple[int, int]:
        own = plain_name(name)
        return FOREMOST.index(own) if own in FOREMOST else len(FOREMOST), names.index(name)

    return set(sorted(names, key=place)[:most])


def natural(text: str) -> list[tuple[bool, int, str]]:
    """What text is sorted by, its numbers by size: k4 comes before k16."""
    parts = re.split(r"([0-9]+)", text)
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]


def in_order(names: Iterable[str]) -> list[str]:
    """Methods as the page lists them: those of this file in its order, each with contexts and variants, then others."""
    known = list(METHODS)

    def place(name: str) -> tuple[int, list[tuple[bool, int, str]]]:
        own, first = plain_name(name), plain_name(name).partition("+")[0]
        ways = [one for one in (own, first, variant_of(first)) if one in METHODS]
        return known.index(ways[0]) if ways else len(known), natural(name)

    return sorted(names, key=place)
