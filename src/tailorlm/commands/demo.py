"""`tailor demo`: the embedded demonstration, from nothing to a table and a picture. Knows nothing of its making."""

from pathlib import Path

from tailorlm.commands.places import new_folder
from tailorlm.commands.quiet import no_bars_of_loading
from tailorlm.commands.result import Result


def run(out: Path, seed: int, as_json: bool) -> Result:
    """Run it into `out`; with `as_json` what it says goes to standard error."""
    from rich.console import Console

    from tailorlm.demo.run import main

    new_folder(out)
    no_bars_of_loading()
    found = main(out, seed, console=Console(stderr=as_json))
    return Result(found, [])
