"""`tailor forget`: deletes a user from a cache of text vectors. Knows nothing of models or of what the texts said."""

from pathlib import Path

from tailorlm.commands.result import Result, counted


def run(user_id: str, cache: Path) -> Result:
    """Delete what the cache has of this user alone. ValueError where the folder is no cache."""
    from tailorlm.profiles.cache import forget_user

    gone = forget_user(cache, user_id)
    return Result({"user": user_id, "vectors": gone}, [f"{counted(gone, 'vector')} of user {user_id} deleted"])
