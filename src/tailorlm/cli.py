"""The command `tailor`: options, examples and exit codes. What commands do is in commands/, imported when called.

Exit codes: 0 done, 2 wrong input, 1 failure, 130 interrupted. Errors are one line on standard error; --traceback or
TAILOR_DEBUG=1 shows where they came from. Standard output has the result only, with --json as one JSON object.
"""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from tailorlm.commands import faults, quiet
from tailorlm.commands.result import FAILED, show

from tailorlm.commands.options import (  # isort: skip
    CODES, Anew, AsJson, Base, Checkpoint, Data, Device, Dtype, Limit, OnError, Overwrite, Recipe, Resume, Run, Set,
    Split, Stop, Strength, Task, example, version,
)  # fmt: skip

ClickException: Any = typer.BadParameter.__mro__[2]  # Typer has it from click, or its own copy of it, by version
app = typer.Typer(
    name="tailor", add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None,
    help="A language model that fits each person: train a hypernetwork, personalise users, talk to the result.",
    epilog=f"Start with: tailor demo. {CODES} --traceback anywhere (or TAILOR_DEBUG=1) shows where an error came from.",
)  # fmt: skip
data_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Look at users' files.")
app.add_typer(data_app, name="data")


@app.callback()
def every(
    version: Annotated[bool, typer.Option("--version", callback=version, is_eager=True, help="The version.")] = False,
) -> None:
    """A language model that fits each person."""


@app.command(epilog=example("tailor profile users.jsonl", "tailor profile users.jsonl --out profiles.jsonl"))
def profile(
    users: Annotated[Path, typer.Argument(help="Users as JSONL, or a folder of LaMP files.")],
    out: Annotated[Path | None, typer.Option(help="Write JSONL here instead of to the screen.")] = None,
    checkpoint: Annotated[str | None, typer.Option(help="In the words that this network was trained on.")] = None,
    task: Task = None,
    id: Annotated[str | None, typer.Option(help="This user only.")] = None,
    facets: Annotated[bool, typer.Option("--facets", help='As "facet = statement" lines.')] = False,
    overwrite: Overwrite = False,
    on_error: Stop = OnError.stop,
    split: Split = None,
    as_json: AsJson = False,
) -> None:
    """Say in words what users' histories show."""
    from tailorlm.commands.profile import run

    raise typer.Exit(show(run(users, out, checkpoint, task, id, facets, on_error.value, split, overwrite), as_json))


@app.command(epilog=example("tailor train recipes/movie_tagging.toml --set methods.p2p.train.steps=500"))
def train(
    recipe: Recipe, set: Set = None, data: Data = None, out: Run = None, resume: Resume = False, as_json: AsJson = False
) -> None:
    """Train a hypernetwork as a recipe says."""
    from tailorlm.commands.training import run

    raise typer.Exit(show(run(recipe, set or [], data, out, resume), as_json))


@app.command(epilog=example("tailor eval recipes/movie_tagging.toml --data ../shared/data --limit 100"))
def eval(
    recipe: Recipe, set: Set = None, data: Data = None, out: Run = None, resume: Resume = False, limit: Limit = 0,
    overwrite: Anew = False, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Compare methods and contexts on unseen users; trains first."""
    from tailorlm.commands.evaluate import run

    raise typer.Exit(show(run(recipe, set or [], data, out, resume, limit, overwrite), as_json))


@app.command(
    epilog=example("tailor report runs/movie_tagging", "tailor report runs/k1 runs/k4 runs/k16 --out k.html --share")
)
def report(
    runs: Annotated[list[Path], typer.Argument(help="Folders of `tailor eval` or the demo.")],
    out: Annotated[
        Path | None, typer.Option(help="The page; Markdown goes beside it. Of one run: in its folder by default.")
    ] = None,
    against: Annotated[str | None, typer.Option(help="What all methods are tested against: base by default.")] = None,
    share: Annotated[bool, typer.Option("--share", help="Without any user's text or id, readable by others.")] = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Put runs side by side on one page."""
    from tailorlm.commands.report import run

    raise typer.Exit(show(run(runs, out, against, share, overwrite), as_json))


@app.command(epilog=example("tailor personalize runs/movie_tagging/checkpoint users.jsonl --out adapters"))
def personalize(
    checkpoint: Checkpoint,
    users: Annotated[Path, typer.Argument(help="Users as JSONL, or a folder of LaMP files.")],
    out: Annotated[Path, typer.Option(help="A PEFT folder for each user goes below this folder.")],
    strength: Strength = 1.0,
    task: Task = None,
    base: Base = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    batch: Annotated[int, typer.Option(min=1, help="Users in one pass.")] = 64,
    on_error: Stop = OnError.stop,
    split: Split = None,
    as_json: AsJson = False,
) -> None:
    """Make users' adapters, as PEFT folders."""
    from tailorlm.commands.personalise import run

    found = run(checkpoint, users, out, strength, task, base, device, dtype, batch, on_error.value, split)
    raise typer.Exit(show(found, as_json))


@app.command(epilog=example("tailor forget user-00042 --cache vectors"))
def forget(
    user: Annotated[str, typer.Argument(help="The user's id.")],
    cache: Annotated[Path, typer.Option(help="The folder of text vectors or of replies: a recipe's cache.")],
    as_json: AsJson = False,
) -> None:
    """Delete a user's texts from a cache.

    Of vectors, or of a language model's replies. What others have, too, stays.
    """
    from tailorlm.commands.forgetting import run

    raise typer.Exit(show(run(user, cache), as_json))


@app.command(
    epilog=example(
        "tailor chat runs/movie_tagging/checkpoint --user ada.jsonl",
        "tailor chat runs/demo/hypernetwork --user runs/demo/users/ood.jsonl --id ood-00000",
    )
)
def chat(
    checkpoint: Checkpoint,
    user: Annotated[Path, typer.Option(help="The user's JSONL line, in a file.")],
    id: Annotated[str | None, typer.Option(help="Which user, where the file has several.")] = None,
    task: Task = None,
    strength: Strength = 1.0,
    base: Base = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    max_new_tokens: Annotated[int, typer.Option(min=1, help="The longest answer.")] = 128,
    temperature: Annotated[float, typer.Option(min=0.0, help="0 is greedy.")] = 0.0,
    seed: Annotated[int | None, typer.Option(help="Of the sampling.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object an answer.")] = False,
) -> None:
    """Talk to the model as tailored to one user.

    In it: /base compares, /new forgets the conversation, /profile shows the profile, /quit leaves.
    """
    from tailorlm.commands.chat import run

    found = run(checkpoint, user, id, task, strength, base, device, dtype, max_new_tokens, temperature, seed, as_json)
    raise typer.Exit(found.code)


@app.command(epilog=example("tailor demo --out runs/demo --seed 1"))
def demo(
    out: Annotated[Path, typer.Option(help="Where everything goes; an earlier demo there is replaced.")] = Path(
        "runs/demo"
    ),
    seed: Annotated[int, typer.Option(help="Of the population and the training.")] = 0,
    as_json: AsJson = False,
) -> None:
    """All of it in five minutes, on generated users.

    Trains over a generated population and shows what it does for users never seen; five minutes on two cores.
    """
    from tailorlm.commands.demo import run

    found = run(out, seed, as_json)
    raise typer.Exit(show(found, True) if as_json else found.code)


@app.command(epilog=example("tailor doctor", "tailor doctor --json"))
def doctor(as_json: AsJson = False) -> None:
    """Say what this machine can do.

    What is installed, which dtype would be used and why, and what would be slow here.
    """
    from tailorlm.commands.doctor import run

    raise typer.Exit(show(run(), as_json))


@data_app.command(
    epilog=example("tailor data check users.jsonl", "tailor data check ../shared/data/LaMP_3 --split dev")
)
def check(
    path: Annotated[Path, typer.Argument(help="Users as JSONL, or a file or folder of LaMP, LongLaMP and the like.")],
    on_error: Stop = OnError.skip,
    split: Split = None,
    as_json: AsJson = False,
) -> None:
    """Count what is in a file: users, queries, lengths, labels, problems."""
    from tailorlm.commands.checkdata import run

    raise typer.Exit(show(run(path, on_error.value, split), as_json))


def call(words: list[str]) -> None:
    """Run the command. Not `app(words)`: Typer ends a KeyboardInterrupt itself, and what it says would be lost."""
    command = typer.main.get_command(app)
    try:
        with command.make_context("tailor", words) as context:
            command.invoke(context)
    except typer.Exit as end:
        raise SystemExit(end.exit_code) from None


def main() -> None:
    """The console script: runs a command and turns an exception into a line and an exit code."""
    words = [word for word in sys.argv[1:] if word != "--traceback"]
    whole = len(words) < len(sys.argv) - 1 or os.environ.get("TAILOR_DEBUG", "") not in ("", "0")
    quiet.hush()
    if not sys.stderr.isatty():  # bars of loading and downloading are for a terminal
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    try:
        call(words)
    except ClickException as error:  # a wrong option: Typer's own words, with the usage before them
        error.show()
        if "--json" in words:
            print(json.dumps({"error": error.format_message(), "code": error.exit_code}))
        raise SystemExit(error.exit_code) from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(FAILED) from None
    except (Exception, KeyboardInterrupt) as error:
        if whole:
            raise
        if "--json" in words:
            print(json.dumps({"error": faults.line_of(error), "code": faults.code_of(error)}))
        lead = "\n" if isinstance(error, KeyboardInterrupt) and sys.stderr.isatty() else ""  # after the terminal's ^C
        print(f"{lead}tailor: {faults.line_of(error)}", file=sys.stderr)
        raise SystemExit(faults.code_of(error)) from None


if __name__ == "__main__":
    main()
