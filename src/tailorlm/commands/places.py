"""Whether files and folders named on the command line can be what they are named for, said before anything is loaded.

Knows nothing of what is in them.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path


def users_in(path: Path) -> Path:
    """The path, of a file or folder of users. ValueError where nothing is there, whatever its name ends in."""
    if not path.exists():
        raise ValueError(f"{path}: no such file")
    return path


def new_file(path: Path, overwrite: bool = False, sources: Iterable[Path] = ()) -> Path:
    """The path, of a file to be written. ValueError for a folder, where its folder is not there, for a file that is
    there unless `overwrite`, and for one of the `sources` that are read, whatever it is called.
    """
    if path.is_dir():
        raise ValueError(f"--out {path} is a folder; expected a file to write")
    if not path.parent.is_dir():
        raise ValueError(f"--out {path}: there is no folder {path.parent}")
    if path.exists() and any(path.samefile(one) for source in sources for one in within(source)):
        raise ValueError(f"--out {path} is a file that is read: choose another --out")
    if (path.exists() or path.is_symlink()) and not overwrite:
        raise ValueError(f"--out {path} is there already: choose another --out, or replace it with --overwrite")
    return path


def within(source: Path) -> Iterator[Path]:
    """The file itself, or a folder's files."""
    return iter([source]) if source.is_file() else (one for one in source.rglob("*") if one.is_file())


def new_folder(path: Path) -> Path:
    """The path, of a folder that will be made if it is not there. ValueError for a file."""
    if path.exists() and not path.is_dir():
        raise ValueError(f"--out {path} is a file; expected a folder")
    return path
