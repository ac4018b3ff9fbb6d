"""A text with a title as one input, and back: where a history item has a title that questions do not have.

Knows nothing of tasks. The title is one line; `parts` gives back what
`titled` was given, whatever the text holds.
"""

TITLE, TEXT = "Title: ", "\nText: "


def titled(title: str, text: str) -> str:
    """Both, named, the title on the first line; the text alone where the title is empty and none can be mistaken."""
    line = " ".join(title.split())
    return f"{TITLE}{line}{TEXT}{text}" if line or parts(text)[0] else text


def parts(said: str) -> tuple[str, str]:
    """(title, text) of an input; a title that is not there is empty."""
    line, found, text = said.removeprefix(TITLE).partition(TEXT)
    return (line, text) if said.startswith(TITLE) and found and "\n" not in line else ("", said)
