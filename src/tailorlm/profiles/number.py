"""Reading a whole output as a number. Knows nothing of tasks or users."""

import re

NUMBER = re.compile(r"\s*([-+]?\d+(?:[.,]\d+)?)\s*(?:/\s*\d+|(?:stars?|points?))?\s*[.!]?\s*", re.IGNORECASE)


def number(text: str) -> float | None:
    """The number that a whole output is ("4", "4.5", "4 stars", "4/5"), or None."""
    match = NUMBER.fullmatch(text)
    return float(match[1].replace(",", ".")) if match else None
