"""`tailor eval`'s judge: checked before anything is answered, at work when all is, its marks beside the scores.

Knows nothing of how answers are judged or summed up. Source: issue 4 (LLM judge); P2P table 3.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from tailorlm.assembly.judging import JudgeSettings
from tailorlm.commands.result import counted, tell
from tailorlm.evaluation import runner_judge
from tailorlm.evaluation.plan import Plan
from tailorlm.evaluation.runner_desk import Desk
from tailorlm.evaluation.runner_judge import Judging
from tailorlm.evaluation.runner_judge_results import beside, judged
from tailorlm.evaluation.runner_progress import progress

HOW = "--resume --set eval.judge.endpoint.url=... --set eval.judge.endpoint.model=... judges these answers"


def check(settings: JudgeSettings | None, plan: Plan) -> None:
    """ValueError for a task, a split or a row that is not there."""
    if settings is not None:
        runner_judge.check(settings, plan)


def ready(settings: JudgeSettings | None, desk: Desk, folder: Path) -> Judging | None:
    """The judge; None where the recipe has none, or names no endpoint, which is said."""
    if settings is None:
        return None
    found = runner_judge.judging(settings, desk, folder)
    if found is None:
        tell(f"eval.judge has no endpoint: nothing is judged; {HOW}")
    return found


def judge(plan: Plan, work: Judging) -> None:
    """Judge what is not judged yet."""
    total = runner_judge.total(plan, work)
    tell(f"{counted(total, 'answer')} for the judge {work.line.judge.version}")
    with progress(total, Console(stderr=True)) as show:
        runner_judge.run(plan, work, show)


def added(result: Mapping[str, Any], plan: Plan, work: Judging, resamples: int, seed: int) -> dict[str, Any]:
    """The results with what the judge said, also among the tasks' own metrics."""
    said = judged(plan, work, resamples, seed)
    return {**result, "attributes": beside(result["attributes"], said["methods"]), "judge": said}
