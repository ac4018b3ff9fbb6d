"""What methods, tasks and splits are called on paper, and what each method is, in plain words.

Knows nothing of scores. A name that is not here is shown as it is: a new method needs no entry.
"""

from collections.abc import Iterable

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
    "mt_lora": ("MT-LoRA", "One adapter for everybody, trained on all training users together."),
    "p2p": (
        "P2P",
        "The hypernetwork writes an adapter for each user from the profile, statement by statement.",
    ),
    "p2p_paper": ("P2P, one vector", "P2P as published: the whole profile squeezed into a single vector."),
    "p2p_shuffled": ("P2P, wrong profile", "A control: every user gets the adapter of somebody else."),
    "p2p_traits": ("P2P, true traits", "A ceiling: P2P is fed the hidden traits that made the user."),
    "oppu": (
        "OPPU",
        "An adapter trained for each user on the user's own history; measured on some users only.",
    ),
}
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
    "plain": "Answers",
    "": "Answers",
    "average": "Average",
}
SPLITS = {"random": "Unseen users", "ood": "Unseen kinds of users", "dev": "Users not trained on"}
NOT_RANKED = frozenset({"p2p_traits", "oppu"})
"""A ceiling that sees hidden traits, and a row of other users: not comparable with the rest."""


def method_name(name: str) -> str:
    """What a method is called."""
    return METHODS[name][0] if name in METHODS else name


def row_name(name: str, users: int | None) -> str:
    """What a method is called in a table, where OPPU's says on how many `users` it was measured."""
    return f"{method_name(name)} ({users} users)" if name == "oppu" and users else method_name(name)


def method_note(name: str, users: int | None = None) -> str:
    """What a method is; OPPU's `users` are the number it was measured on."""
    note = METHODS[name][1] if name in METHODS else ""
    return note.replace("some users", f"{users} of the unseen users") if name == "oppu" and users else note


def task_name(name: str) -> str:
    """What a task is called."""
    return TASKS.get(name, name.replace("_", " ").capitalize())


def method_kind(name: str) -> str:
    """The style's name for a method's rows and marks."""
    return {"p2p": "ours", "oppu": "tuned"}.get(name, "plain")


def split_name(name: str) -> str:
    """What a split is called."""
    return SPLITS.get(name, name)


def split_heading(name: str, users: int | None) -> str:
    """What a split is called, with its number of users where it is known."""
    return f"{split_name(name)} ({users} of them)" if users else split_name(name)


def in_order(names: Iterable[str]) -> list[str]:
    """Methods as the page lists them: those of this file in its order, then others by name."""
    known = list(METHODS)
    return sorted(names, key=lambda name: (known.index(name) if name in METHODS else len(known), name))
