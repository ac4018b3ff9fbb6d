"""Whether the hub can give a model at all, found out in one question before anything is downloaded.

Without it a machine without network waits: huggingface_hub asks five times more for each of a model's files, with
pauses that add up to 23 seconds a file. Downloads themselves keep those retries. Knows nothing of models.
"""

from pathlib import Path

from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url, try_to_load_from_cache
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)


def check(name: str, revision: str | None = None, token: str | None = None, file: str = "config.json") -> None:
    """Nothing where `name` is a folder, in the cache, or a repository that answers. ValueError says what is not so."""
    if Path(name).exists() or isinstance(_cached(name, file, revision), str):
        return
    try:
        get_hf_file_metadata(hf_hub_url(name, file, revision=revision), token=token)
    except EntryNotFoundError:
        return  # the repository is there; whoever loads it says what it lacks
    except Exception as error:  # HTTP libraries differ in what they raise without a network
        raise _refusal(name, _reason(error, revision)) from error


def _cached(name: str, file: str, revision: str | None) -> object:
    try:
        return try_to_load_from_cache(name, file, revision=revision)
    except HFValidationError as error:
        raise _refusal(name, "it is no hub id, such as organisation/model") from error


def _refusal(name: str, reason: str) -> ValueError:
    return ValueError(f"{name} is no folder here, and the hub did not give it: {reason}")


def _reason(error: Exception, revision: str | None) -> str:
    hub = constants.ENDPOINT
    if isinstance(error, GatedRepoError):
        return f"{hub} has it for those who accepted its terms: accept them there, and log in (hf auth login)"
    if isinstance(error, RevisionNotFoundError):
        return f"{hub} has it, but no revision {revision!a}"
    if isinstance(error, RepositoryNotFoundError):
        return f"there is no such model on {hub}, or it is private (hf auth login)"
    if isinstance(error, HfHubHTTPError):
        return f"{hub} answered with an error ({error.response.status_code})"
    return f"it is not in the cache, and {hub} cannot be reached ({type(error).__name__})"
