"""`tailor eval`: the recipe's rows on users never seen, with floors, intervals over users, costs and failures.

Prepares what the run's folder does not have yet. Knows nothing of how answers are made, summed up or shown.
Source: issue 2 sections 3 and 4; issue 4 (runner).
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from tailorlm.assembly import build, runs, splitting
from tailorlm.assembly.alone import alone
from tailorlm.assembly.compared import compared
from tailorlm.assembly.population import Population, nearest, population
from tailorlm.assembly.preflight import check_trackers
from tailorlm.assembly.recipes import Recipe, read
from tailorlm.assembly.remembered import Remembered
from tailorlm.assembly.run_folders import check_ours, starting
from tailorlm.assembly.sources import Sources
from tailorlm.assembly.wanted import check_rows, needs, wanted
from tailorlm.commands import judging
from tailorlm.commands.evaluate_lines import about, differences, failures
from tailorlm.commands.faults import line_of
from tailorlm.commands.places import new_folder
from tailorlm.commands.quiet import no_bars_of_loading
from tailorlm.commands.result import FAILED, OK, Result, counted, tell
from tailorlm.commands.training import out_of, said
from tailorlm.data.records import User
from tailorlm.evaluation import runner, runner_drift, runner_judge, runner_norms, runner_states
from tailorlm.evaluation.floors import common_answers
from tailorlm.evaluation.plan import Plan
from tailorlm.evaluation.report import table_lines, write_report
from tailorlm.evaluation.runner_answers import write_answers
from tailorlm.evaluation.runner_desk import Desk, generating
from tailorlm.evaluation.runner_judge import Judging
from tailorlm.evaluation.runner_judge_results import lines as judge_lines
from tailorlm.evaluation.runner_judge_results import unasked
from tailorlm.evaluation.runner_progress import progress
from tailorlm.evaluation.runner_results import Found, results
from tailorlm.evaluation.runner_results import read as read_rows
from tailorlm.evaluation.runner_ways import scope, seeds, ways
from tailorlm.methods import made_for

ROWS = "rows"


@dataclass(frozen=True)
class Work:
    """All that an evaluation needs."""

    recipe: Recipe
    folder: Path
    population: Population
    desk: Desk
    sources: Sources
    plan: Plan


def run(
    recipe: Path, overrides: Sequence[str], data: Path | None, out: Path | None, resume: bool, limit: int = 0,
    overwrite: bool = False,
) -> Result:  # fmt: skip
    """The table of the run in `out`; rows/, results.json, answers.jsonl and report.html beside it.

    Rows that are there are kept with `resume`, deleted with `overwrite`, once all that can be wrong has been looked at.
    ValueError where they are there and neither was said, or both were.
    """
    if resume and overwrite:
        raise ValueError("--resume keeps the rows that are there, --overwrite deletes them: expected one of the two")
    settings = read(recipe, overrides, data)
    if limit:
        settings = replace(settings, eval=replace(settings.eval, limit=limit))
    check_rows(settings)
    folder = new_folder(out_of(recipe, out))
    check_ours(folder)
    no_bars_of_loading()
    check_trackers(settings)
    with ExitStack() as held:
        with starting(folder):
            held.enter_context(alone(folder, "another evaluation or training"))
            runs.check_run(folder, settings)
            if not (resume or overwrite):
                runner.check_free(folder / ROWS)
            work = prepared(settings, folder, resume)
            checked(work, resume)
            judge = opened(work, resume)
        return made(work, judge)


def made(work: Work, judge: Judging | None) -> Result:
    """Answer, sum up and write all that tells of it; then what to say of it."""
    recipe, folder = work.recipe, work.folder
    answer(work, judge)
    found = read_rows(work.plan)
    result = summed_up(work, found)
    if judge is not None:
        result = judging.added(result, work.plan, judge, recipe.eval.resamples, recipe.seed)
    runs.write_json(folder / "results.json", result)
    write_answers(folder / "answers.jsonl", work.plan, partial(statements, work))
    if not result["failures"]:
        runner_states.answered(folder)
    runner.finish(work.plan)  # before the page, which is made of whole evaluations only
    write_report(folder)
    judged = result.get("judge")
    marks = judge_lines(judged, result["users"]) if judged else []
    lines = [*table_lines(result), *marks, "", *differences(result), *failures(result),
             *runner_drift.unmeasured(folder, work.plan), *about(folder, result),
             *runner_states.lines(folder, work.plan, recipe.eval.keep)]  # fmt: skip
    failed = result["failures"] or (judged and unasked(judged))
    return Result({"run": str(folder), **result}, lines, FAILED if failed else OK)


def prepared(recipe: Recipe, folder: Path, resume: bool) -> Work:
    """Users on disk, the model, and the plan; nothing is trained or written yet."""
    users = population(recipe, folder)
    for split, store in users.splits.items():
        if len(store) < 2 and not recipe.eval.limit:
            raise ValueError(
                f"{counted(len(store), f'{split} user')} has a query with an answer: intervals need at least 2"
            )
    built = build.put_together(
        recipe, users.train, users.held, users.report, lambda profilers: Remembered(profilers, nearest(folder))
    )
    profile = built.bench.profile
    assert isinstance(profile, Remembered)
    profile.tell(texts(users))
    tasks = sorted({task for store in users.splits.values() for task in store.asked}, key=str)
    sources = Sources(built, folder, [task for task in tasks if task is not None], resume, users.groups)
    desk = Desk(
        built.bench,
        profile,
        users.splits,
        users.train,
        generating(built.bench, recipe.eval.batch),
        line_of,
        scope(recipe),
    )
    todo = ways(recipe, desk, sources, common_answers(users.train), tasks)
    plan = Plan(folder / ROWS, users.splits, todo, recipe.eval.users_at_once, made_for.base(built.bench.backbone))
    return Work(recipe, folder, users, desk, sources, plan)


def checked(work: Work, resume: bool) -> None:
    """ValueError for what could be wrong yet: said before anything of an earlier evaluation is touched."""
    judging.check(work.recipe.eval.judge, work.plan)
    if resume:
        runner.check(work.plan)
    for line in work.plan.unasked():
        tell(f"{line}: users are taken in the order of the data")
    rows = [wanted(work.recipe, row, seed) for row in compared(work.recipe.eval) for seed in seeds(work.recipe)]
    for name in sorted({name for one in rows for name in work.sources.unknown(one)}):
        tell(f"{name} was trained before runs noted their training users: that nobody of them is asked is not known")


def opened(work: Work, resume: bool) -> Judging | None:
    """The run's folder, ready for rows, and the judge if there is one; without `resume` what earlier rows left goes."""
    recipe, folder = work.recipe, work.folder
    if (folder / ROWS).is_dir():
        runner.begin(folder / ROWS)  # before recipe.toml: the results that are there are of the one before
    runs.open_run(folder, recipe)
    splitting.keep(work.population.split, folder)
    judge = judging.ready(recipe.eval.judge, work.desk, folder)
    if not resume:
        for one in (ROWS, runner_judge.FOLDER):
            runner.clear(folder / one)
        runner_norms.clear(folder)
        runner_drift.clear(folder)
        runner_states.clear(folder)
    runner.begin(folder / ROWS)
    return judge


def texts(users: Population) -> dict[str, str]:
    """The profile texts that came with training users. ValueError where users of one id have different ones."""
    found: dict[str, str | None] = {}
    sides = (users.train, users.held, *(side for one in users.groups.values() for side in (one.train, one.held)))
    for user in (user for side in sides for user in side):
        if found.setdefault(user.id, user.profile) != user.profile:
            raise ValueError(
                f"user {user.id!a} is in two groups of training users ([data] train and groups), with different "
                "profiles: one person has one, and different people have different ids"
            )
    return {id: text for id, text in found.items() if text is not None}


def answer(work: Work, judge: Judging | None = None) -> None:
    """Make the rows that are not there yet, and have them judged."""
    plan = work.plan
    names = ", ".join(dict.fromkeys(method.name for way in plan.ways for method in way.methods))
    tell(f"{counted(plan.total(), 'row')} of {names}")
    try:
        with progress(plan.total(), Console(stderr=True)) as show:
            runner.run(plan, work.desk.reason, show)
        if judge is not None:
            judging.judge(plan, judge)
    except KeyboardInterrupt as stopped:
        raise KeyboardInterrupt(said(stopped, work.folder)) from None


def summed_up(work: Work, found: Mapping[str, Mapping[str, Found]]) -> dict[str, Any]:
    """What results.json holds."""
    recipe, train = work.recipe, work.population.train
    used = {row.name: wanted(recipe, row, seeds(recipe)[0]) for row in compared(recipe.eval)}
    bare = {name: source.adapter == "none" for name, source in used.items()}
    once = {name: work.sources.seconds(source) for name, source in used.items()}
    made = results(work.plan, found, once, recipe.eval.resamples, recipe.seed)
    made["timing"]["sharers"] = {name: work.sources.sharing(source) for name, source in used.items()}
    made["users"]["train"] = len(train) + len(work.population.held)
    groups = {path: len(one.train) + len(one.held) for path, one in work.population.groups.items()}
    return {
        **made,
        "trained_on": {
            name: {"file": source.train, "users": groups[source.train]} for name, source in used.items() if source.train
        },
        "needs": {name: asdict(needs(source)) for name, source in used.items()},
        **runner_drift.found(work.folder, work.plan, bare, runner_drift.Asked.of(recipe.eval.drift)),
        "gradient_norms": runner_norms.gradient_norms(work.folder, work.plan),
        "profiles_not_used_in_whole": len(work.sources.notes()),
        "data_notes": dict(work.population.report.notes),
        "seeds": list(seeds(recipe)),
        "limit": recipe.eval.limit,
        "dtype": str(work.desk.bench.backbone.dtype).removeprefix("torch."),
        **runs.provenance(recipe.seed),
    }


def statements(work: Work, user: User, task: str | None) -> list[str]:
    """A user's profile, a text a statement; what a language model would have to write anew is left out."""
    own = task if work.desk.scope == "task" else None
    if work.recipe.profile.written:
        made = work.desk.profile.made(user, own)
        return [] if made is None else [one.text for one in made.statements]
    work.desk.profile.meet([user])
    return [one.text for one in work.desk.profile(user.id, user.history, own).statements]
