"""An exception as one readable line and an exit code: 2 wrong input, 1 failure, 130 interrupted.

What our own code raises is written for people and holds no users' text. Of an exception from elsewhere, the message
is shown only where it is about files, packages or memory; of any other only the kind, since its message may quote
what it was given.
"""

from pathlib import Path

from tailorlm.commands.result import FAILED, INTERRUPTED, WRONG_INPUT

LONGEST = 600
FILES = (FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError, PermissionError)
OURS = str(Path(__file__).parents[1])


def code_of(error: BaseException) -> int:
    """The exit code that says what kind of end this is."""
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    known = isinstance(error, ValueError | KeyError) and ours(error)
    return WRONG_INPUT if known or isinstance(error, FILES) else FAILED


def line_of(error: BaseException) -> str:
    """One line, without a traceback and without users' text."""
    if isinstance(error, KeyboardInterrupt):
        return str(error) or "interrupted"
    kind = type(error).__name__
    if ours(error):
        text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    elif isinstance(error, OSError):
        text = f"{error.strerror or kind}: {error.filename}" if error.filename else str(error)
    elif isinstance(error, ImportError):
        text = f"a package is missing or broken: {error}"
    elif isinstance(error, MemoryError) or "out of memory" in str(error).lower():
        text = "out of memory: use a smaller model, shorter texts or fewer at once"
    else:
        text = f"unexpected {kind}; run again with --traceback to see where"
    return shortened(" ".join(text.split()) or kind)


def ours(error: BaseException) -> bool:
    """Whether the exception was raised by a line of this package."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_code.co_filename.startswith(OURS)


def shortened(text: str) -> str:
    """At most so long that it is still one line to read."""
    return text if len(text) <= LONGEST else text[: LONGEST - 4] + " ..."
