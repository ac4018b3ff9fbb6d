"""A roster's adapters as PEFT folders, or the reason why they have no such form: the same of every method.

Knows nothing of methods. Source: issue 3 (each exports in the portable form or refuses with the reason).
"""

from collections.abc import Mapping
from pathlib import Path

import torch

from tailorlm.adapters.peft_files import check_peft, directory_for, save_peft
from tailorlm.backbone.model import Backbone
from tailorlm.methods.source import Roster
from tailorlm.training.checkpoints import make_private


def export(roster: Roster, directory: Path, backbone: Backbone, made_by: Mapping[str, str]) -> list[Path]:
    """A folder for each owner below `directory`, private: the user's, of an adapter a task one inside for each task.

    Owners whom the base answers have none: `left_out` says of how many. ValueError with the reason where no adapter is
    a user's own, the kind has no portable form, or an adapter cannot be written: none is, and no folder is made.
    """
    if roster.profiles or roster.histories:
        raise ValueError("an adapter is made for each query: there is none of a user's to export")
    if roster.shared:
        raise ValueError("no adapter here is a user's own: export those that are lent or shared by themselves")
    own = {owner: place for owner, place in roster.place.items() if place >= 0}
    if roster.adapters is None or not own:
        raise ValueError("the base model answers: there is no adapter to export")
    folders = [_folder(directory, *owner) for owner in own]
    adapters = roster.adapters[torch.tensor(list(own.values()))]
    check_peft(adapters, folders, backbone.id, backbone.revision, made_by)  # first: folders' names are users' ids
    for above in dict.fromkeys((directory, *(folder.parent for folder in folders))):
        make_private(above)
    save_peft(adapters, folders, backbone.id, backbone.revision, made_by)
    return folders


def left_out(roster: Roster) -> str | None:
    """Why `export` writes fewer folders than there are owners; None where it does not."""
    plain = sum(place < 0 for place in roster.place.values())
    if not plain:
        return None
    return f"{plain} of {len(roster.place)} have no adapter of their own (nothing to train on): the base model answers"


def _folder(directory: Path, user: str, task: str | None) -> Path:
    own = directory_for(directory, user)
    return own if task is None else directory_for(own, task)
