"""What P2P's rows say of themselves by their settings: what the network is told, how, and for whom an adapter is.

Others are told by their names alone (names.py). Knows nothing of pages. Source: P2P section 3.1, appendix E.
"""

from collections.abc import Mapping
from typing import Any

from tailorlm.evaluation.report_marks import Made

HOW = {"facets": "statement by statement", "single": "as one vector", "attention": "as a set of vectors"}
"""How a pool of the network reads what it is told."""


def notes(made: Mapping[str, Made]) -> dict[str, str]:
    """By method, what its settings say; nothing of methods that say too little, and of controls."""
    return {name: told for name, one in made.items() if one.adapter == "p2p" and (told := of_p2p(one.about))}


def of_p2p(about: Mapping[str, Any]) -> str:
    """The sentence of a P2P; "" where its settings are not in its rows, or its profiles are wrong ones."""
    source = about.get("source")
    settings = source.get("settings") if isinstance(source, Mapping) else None
    net = settings.get("net") if isinstance(settings, Mapping) else None
    if not isinstance(settings, Mapping) or not isinstance(net, Mapping) or about.get("control"):
        return ""
    items = settings.get("k") if isinstance(settings.get("k"), int) else 0
    known, how = told(str(settings.get("source", "")), items or 0), HOW.get(str(net.get("pool")))
    whose = "query" if items else "user"
    return f"The hypernetwork writes an adapter for each {whose} from {known}, {how}." if how else ""


def told(source: str, items: int) -> str:
    """What the network is told, in words."""
    found = f"{'the item' if items == 1 else f'the {items} items'} retrieved for it"
    if source == "history":
        return "the user's whole history"
    if source == "items":
        return found
    return f"the profile and {found}" if items and source == "profile+items" else "the profile"
