"""The hypernetworks there are, by the `head` of their settings: "additive", or the published L, M and S.

Knows nothing of files. A third kind is a class with the same methods and a line here.
"""

from collections.abc import Mapping
from typing import Any

from tailorlm.adapters.space import AdapterSpace
from tailorlm.hypernet.additive import Additive, check_additive
from tailorlm.hypernet.network import Hypernet, check_kind, check_settings

Network = Hypernet | Additive
NAMES = {
    "additive": {"head", "pool", "encoder_size", "scaling", "slots", "components", "queries"},
    "published": {
        "encoder_size", "scaling", "pool", "slots", "latent", "head_in", "head", "bias", "unit_norm", "dropout",
        "components", "queries",
    },
}  # fmt: skip


def make(space: AdapterSpace, settings: Mapping[str, Any]) -> Network:
    """The network of these settings, as its own `settings` has them."""
    if settings["head"] == "additive":
        return Additive(space, **{name: value for name, value in settings.items() if name != "head"})
    return Hypernet(space, **settings)


def names(settings: Mapping[str, Any]) -> set[str]:
    """The settings that a network of this `head` must have, all of them."""
    return NAMES["additive" if settings.get("head") == "additive" else "published"]


def check(settings: dict[str, Any]) -> None:
    """Raises ValueError naming the first setting that no network can have, and what it may be."""
    (check_additive if settings["head"] == "additive" else check_settings)(settings)


def check_space(space: AdapterSpace, settings: Mapping[str, Any]) -> None:
    """Raises ValueError where networks of these settings cannot generate this kind of adapter."""
    if settings["head"] != "additive":
        check_kind(space, settings)
