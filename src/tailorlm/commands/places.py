"""Whether files and folders named on the command line can be what they are named for, said before anything is loaded.

Knows nothing of what is in them.
"""

from pathlib import Path


def users_in(path: Path) -> Path:
    """The path, of a file or folder of users. ValueError where nothing is there, whatever its name ends in."""
    if not path.exists():
        raise ValueError(f"{path}: no such file")
    return path


def new_file(path: Path) -> Path:
    """The path, of a file to be written. ValueError for a folder, and where its folder is not there."""
    if path.is_dir():
        raise ValueError(f"--out {path} is a folder; expected a file to write")
    if not path.parent.is_dir():
        raise ValueError(f"--out {path}: there is no folder {path.parent}")
    return path


def new_folder(path: Path) -> Path:
    """The path, of a folder that will be made if it is not there. ValueError for a file."""
    if path.exists() and not path.is_dir():
        raise ValueError(f"--out {path} is a file; expected a folder")
    return path
