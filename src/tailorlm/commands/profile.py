"""`tailor profile`: users' histories in words. Knows nothing of networks, except which words one was trained on."""

import json
from pathlib import Path
from typing import Any, Literal

from tailorlm.commands.places import new_file, users_in
from tailorlm.commands.result import Result, counted


def run(
    path: Path, out: Path | None, checkpoint: str | None, task: str | None, user: str | None, facets: bool,
    on_error: Literal["stop", "skip"], split: str | None, overwrite: bool = False,
) -> Result:  # fmt: skip
    """The users' profiles on the screen, or as JSONL in `out` (mode 0600). ValueError for a user who is not there,
    and for an `out` that is there unless `overwrite`, or that is read.
    """
    from tailorlm.assembly.runs import write
    from tailorlm.data.load import load

    users_in(path)
    if out is not None:
        new_file(out, overwrite, [path])
    people = [one for one in load(path, on_error, None, split).users.values() if user in (None, one.id)]
    if not people:
        raise ValueError(f"{path}: no user {user!a}" if user else f"{path}: no users")
    if task is not None:
        check_task(path, task, people)
    made = profilers(checkpoint, people)(people, task)
    found = [said(one) for one in made]
    if out is not None:
        write(out, "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in found))
        return Result({"users": len(found), "out": str(out)}, [f"{counted(len(found), 'profile')} in {out}"])
    return Result({"users": len(found), "profiles": found}, [line for one in found for line in lines(one, facets)])


def check_task(path: Path, task: str, people: Any) -> None:
    """ValueError where nobody has done anything of the task: every profile would be empty."""
    tasks = sorted({item.task for user in people for item in user.history if item.task is not None})
    if task not in tasks:
        raise ValueError(f"{path}: no history of task {task!a}; there is: {', '.join(tasks) or 'none with a task'}")


def profilers(checkpoint: str | None, people: Any) -> Any:
    """The profiler that a checkpoint was trained with, or the statistical one."""
    from tailorlm.assembly import profilers as kinds
    from tailorlm.assembly.recipes import ProfileSettings

    if checkpoint is None:
        settings = ProfileSettings()
        tasks = {item.task for user in people for item in user.history}
        return kinds.make(settings, kinds.Known(kinds.labels_of(tasks)))
    from tailorlm.assembly.checkpoints import fetch, read_use

    use = read_use(fetch(checkpoint, None, None)[1])
    return kinds.make(use.profile, use.known)


def said(profile: Any) -> dict[str, Any]:
    """A profile as one JSON object."""
    statements = [{"facet": one.facet, "text": one.text} for one in profile.statements]
    return {
        "user_id": profile.user_id, "task": profile.task, "template": profile.template, "statements": statements,
        "text": profile.text,
    }  # fmt: skip


def lines(profile: dict[str, Any], facets: bool) -> list[str]:
    """The statements of one user; with `facets` in the form that `personalize(profile=...)` reads."""
    shown = [f"{s['facet']} = {s['text']}" if facets else f"  {s['text']}" for s in profile["statements"]]
    return [f"# {profile['user_id']}" if facets else profile["user_id"], *shown, ""]
