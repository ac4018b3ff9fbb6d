"""`tailor forget`: deletes a user from caches of text vectors and of an endpoint's replies.

Knows nothing of models or of what the texts said.
"""

from pathlib import Path

from tailorlm.commands.result import Result

WORDS = {"vectors": "vector", "replies": "reply"}


def run(user_id: str, cache: Path) -> Result:
    """Delete what the caches in this folder have of this user alone. ValueError where there is none."""
    from tailorlm.profiles import cache as vectors
    from tailorlm.profiles import replies

    kinds = {"vectors": vectors, "replies": replies}
    there = {name: kind for name, kind in kinds.items() if (cache / kind.NAME).is_file()}
    if not there:
        raise ValueError(f"{cache} is no cache: it has neither {vectors.NAME} nor {replies.NAME}")
    gone = {name: kind.forget_user(cache, user_id) for name, kind in there.items()}
    told = [f"{said(count, name)} of user {user_id} deleted" for name, count in gone.items()]
    unknown = replies.nobodys(cache) if "replies" in there else 0
    return Result({"user": user_id, **gone}, [*told, *([unowned(unknown)] if unknown else [])])


def said(count: int, name: str) -> str:
    """A number of vectors or replies."""
    return f"{count:,} {WORDS[name] if count == 1 else name}"


def unowned(count: int) -> str:
    """What to know of replies of which nobody is recorded."""
    return (
        f"{said(count, 'replies')} of nobody who is recorded: made before users were, or about none; asking the same "
        "again with this cache records whose they are, deleting the folder deletes all"
    )
