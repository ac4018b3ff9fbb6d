"""HTML and SVG as values: text is escaped by construction, because it may be a stranger's.

Knows nothing of pages or charts. `element` makes `Markup`, and escapes every plain string that it is given.
"""

import html
import re

CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
EMPTY = frozenset({"br", "circle", "line", "path", "polyline", "rect", "wbr"})


class Markup(str):
    """Text that is markup already; plain `str` never is."""

    __slots__ = ()


Child = Markup | str | None


def element(name: str, *children: Child, **attributes: str | int | float | None) -> Markup:
    """`<name attributes>children</name>`; strings are escaped, Markup is kept, None is left out.

    A trailing underscore in an attribute's name is dropped (`class_`), others become hyphens.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value if isinstance(value, str) else number(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in EMPTY and not children:
        return Markup(f"<{name}{written}/>")
    return Markup(f"<{name}{written}>{joined(*children)}</{name}>")


def joined(*children: Child) -> Markup:
    """The children side by side, strings escaped."""
    return Markup("".join(child if isinstance(child, Markup) else escape(child or "") for child in children))


def escape(text: str) -> str:
    """`text` safe between tags and in quoted attributes; what no page may hold becomes U+FFFD."""
    return html.escape(CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text), quote=True)


def number(value: int | float) -> str:
    """A coordinate: at most two decimals."""
    return f"{round(value, 2):g}"
