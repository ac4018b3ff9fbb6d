"""Numbers as people read them: points, signed points, durations, sizes.

Knows nothing of where they come from.
"""

DASH = "\N{EN DASH}"
"""What stands where nothing was measured."""
SPACE = "\N{NO-BREAK SPACE}"


def points(share: float | None, decimals: int = 1) -> str:
    """A share 0..1 as points 0..100, or a dash where there is none."""
    return DASH if share is None else f"{100 * share:.{decimals}f}"


def gain(share: float, decimals: int = 1) -> str:
    """A difference of shares as signed points, with a true minus."""
    return f"{100 * share:+.{decimals}f}".replace("-", "\N{MINUS SIGN}")


def duration(seconds: float) -> str:
    """Microseconds to hours, three digits at most."""
    if not seconds:
        return f"0{SPACE}s"
    for unit, size in (("h", 3600.0), ("min", 60.0), ("s", 1.0), ("ms", 1e-3)):
        if seconds >= size * (2 if unit in ("h", "min") else 1):
            return f"{rounded(seconds / size)}{SPACE}{unit}"
    return f"{rounded(seconds / 1e-6)}{SPACE}µs"


MOMENTS = (
    *(10.0**power for power in range(-6, 2)),
    60.0,
    600.0,
    3600.0,
    *(3600 * 10.0**power for power in range(1, 6)),
)
"""Durations that read well on an axis: 1 µs ... 10 s, 60 s, 10 min, 60 min, 10 h ..."""


def size(count: float) -> str:
    """Bytes in decimal units, three digits at most."""
    for unit, step in (("GB", 1e9), ("MB", 1e6), ("KB", 1e3)):
        if count >= step:
            return f"{rounded(count / step)}{SPACE}{unit}"
    return f"{rounded(count)}{SPACE}B"


def rounded(value: float) -> str:
    """Three significant digits, no exponent."""
    return f"{value:,.0f}" if value >= 99.95 else f"{value:.3g}"
