"""Wordings with a field: `{profile}`, `{items}` or `{item}` in a text of the settings.

Not str.format: what users write may hold braces. Knows nothing of what is put in.
"""

PROFILE, ITEMS, ITEM = "{profile}", "{items}", "{item}"


def check(setting: str, wording: str, field: str) -> None:
    """ValueError where the wording does not have the field exactly once."""
    if wording.count(field) != 1:
        raise ValueError(f"{setting} has {field} {wording.count(field)} times: expected once")


def fill(wording: str, field: str, text: str) -> str:
    """The wording with the text in its field; nothing at all where the text is empty."""
    return wording.replace(field, text) if text else ""
