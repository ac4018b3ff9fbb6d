"""Whether a row can be at all, said before anything is trained: its source with its start, and its control.

Which starts a method takes, and what it reads of users, its own file says (methods/form.py). Knows nothing of methods,
nor of what is in a recipe beside the row. Source: design section 2 (an adapter source times a context).
"""

from typing import Any, Protocol

from tailorlm.methods.form import Form
from tailorlm.plugins import find

EXCHANGING, PROFILES, MEAN = ("shuffled", "drawn"), ("across_tasks", "words_shuffled"), "mean_vector"


class Composed(Protocol):
    """A source by name, with its settings, and the one that it begins at."""

    @property
    def adapter(self) -> str: ...
    @property
    def settings(self) -> Any: ...
    @property
    def start(self) -> "Composed | None": ...


def check_row(name: str, source: Composed, control: str) -> None:
    """ValueError, with the row, the value and what would be valid, for what cannot be trained or would do nothing."""
    try:
        form = form_of(source)
        if form is not None and control:
            check_control(form, control)
    except ValueError as error:
        raise ValueError(f"eval row {name!a}, {said(source)}: {error}") from None


def form_of(source: Composed) -> Form | None:
    """What adapters the source makes; None where a method's file does not say. ValueError where it cannot be."""
    before = None if source.start is None else form_of(source.start)
    module = find("methods", source.adapter)
    if not hasattr(module, "form") or (source.start is not None and before is None):
        return None
    if before is not None and source.start is not None:
        check_start(source.start.adapter, before)
    found: Form = module.form(source.settings, before)
    return found


def check_start(name: str, start: Form) -> None:
    """ValueError for a start without adapters that last."""
    if start.kind == "none":
        raise ValueError(f'start = "{name}" has no adapters to begin at: expected another source, or "base" for none')
    if start.each == "query":
        raise ValueError(f'start = "{name}" makes an adapter a query, and none to begin at: expected k = 0')


def check_control(form: Form, control: str) -> None:
    """ValueError for a control that would change no adapter."""
    if control in EXCHANGING and not form.reads:
        raise ValueError(
            f'control "{control}" enrols users with others\' histories, and this source reads nothing of users: '
            "expected no control, or a source that does"
        )
    if control in PROFILES and "profile" not in form.reads:
        valid = 'expected "shuffled" or "drawn"' if form.reads else "expected no control"
        raise ValueError(f'control "{control}" changes profiles, and this source reads none at enrolment: {valid}')
    if control == MEAN and not form.vectors:
        raise ValueError(f'control "{control}" needs adapters made of vectors, as p2p\'s are: expected another control')


def said(source: Composed) -> str:
    """`prisp over p2p over mt_lora`."""
    return source.adapter if source.start is None else f"{source.adapter} over {said(source.start)}"
