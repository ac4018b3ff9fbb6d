"""The sentence that a wrong name is answered with: the nearest valid one, and all of them.

Knows nothing of what is named.
"""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, valid: Iterable[str]) -> str:
    """`did you mean "x"? There are a, b, x`, with the names sorted; the whole list is short or it is cut at
    40.
    """
    names = sorted(valid)
    close = get_close_matches(name, names, n=1, cutoff=0.5)
    there = ", ".join(names[:40]) + (", ..." if len(names) > 40 else "")
    meant = f'did you mean "{close[0]}"? ' if close else ""
    return f"{meant}There {'is' if len(names) == 1 else 'are'} {there or 'none'}"
