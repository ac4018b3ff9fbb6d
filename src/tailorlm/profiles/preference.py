"""Personal ranking of labels from what was chosen among what: multinomial choice with a Gaussian prior.

A choice of label c out of the offered set O has probability exp(s_c) / sum over O of exp(s_o) (Luce 1959; for
two options Bradley and Terry 1952); scores s are the posterior mode under s ~ N(0, variance). Few choices
leave scores near 0 instead of at infinity, and who beat a strong label gains more than who beat a weak one.
Knows nothing of texts or users.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from math import exp

Choice = tuple[str, frozenset[str]]


def scores(choices: Iterable[Choice], variance: float = 3.0, sweeps: int = 12) -> dict[str, float]:
    """Posterior-mode score of every offered label. Choices are (chosen, offered), chosen among offered."""
    counted = Counter(choices)
    labels = sorted(set[str]().union(*(offered for _, offered in counted)))
    found = dict.fromkeys(labels, 0.0)
    for _ in range(sweeps):
        _sweep(found, counted, 1.0 / variance)
    return found


def _sweep(found: dict[str, float], counted: Counter[Choice], precision: float) -> None:
    """One damped diagonal Newton step on the log posterior, all labels at once."""
    slope = {label: -precision * score for label, score in found.items()}
    bend = dict.fromkeys(found, precision)
    weight = {label: exp(score) for label, score in found.items()}
    for (chosen, offered), count in counted.items():
        total = sum(weight[label] for label in offered)
        slope[chosen] += count
        for label in offered:
            share = weight[label] / total
            slope[label] -= count * share
            bend[label] += count * share * (1.0 - share)
    for label in found:
        found[label] += max(-1.0, min(1.0, 0.7 * slope[label] / bend[label]))


def positions(found: dict[str, float], labels: Sequence[str]) -> dict[str, int]:
    """1-based place of each label, best first; no score counts as 0; ties share the middle place."""
    values = [round(found.get(label, 0.0), 6) for label in labels]
    return {label: _place(value, values) for label, value in zip(labels, values, strict=True)}


def _place(value: float, values: Sequence[float]) -> int:
    above = sum(other > value for other in values)
    ties = sum(other == value for other in values)
    return above + (ties + 1) // 2
