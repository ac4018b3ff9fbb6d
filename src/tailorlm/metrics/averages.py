"""A method's scores over several tasks in one number a metric, as the papers' tables have it.

P2P averages each metric over the tasks of its kind; PRISP first makes one number of a task's two metrics, then
averages these. Errors are in units of the scale (stars), in both papers: nothing is normalised, so PRISP's number
for a rating can be negative. Which F1 goes in is the caller's choice: the tables of P2P have the weighted one,
PRISP's LaMP's macro. Knows nothing of tasks: a task's kind is seen by its metrics.
Source: P2P tables 1, 2, 4 to 7; PRISP tables 2 and 3, figures 4 and 7, appendix B.
"""

from collections.abc import Mapping, Sequence

from tailorlm.metrics.rows import mean

Scores = Mapping[str, float]
KINDS = {
    "classification": ("accuracy", "f1_macro", "f1_weighted"),
    "generation": ("rouge1", "rougeL"),
    "rating": ("mae", "rmse"),
}


def kind_of(scores: Scores) -> str:
    """Whether these are the metrics of a classification, a generation or a rating. ValueError for others."""
    for kind, names in KINDS.items():
        if names[0] in scores:
            return kind
    firsts = ", ".join(names[0] for names in KINDS.values())
    raise ValueError(f"metrics {', '.join(sorted(scores)) or 'none'}: expected one of {firsts} among them")


def averages(tasks: Mapping[str, Scores]) -> dict[str, dict[str, float]]:
    """P2P's: for each kind that occurs the mean of each of its metrics over its tasks, each counting the same.

    ValueError where a task of a kind lacks one of the kind's metrics.
    """
    of_kind: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for task, scores in tasks.items():
        of_kind[kind_of(scores)].append(task)
    return {
        kind: {name: mean([_metric(tasks[task], name, task) for task in found]) for name in KINDS[kind]}
        for kind, found in of_kind.items()
        if found
    }


def composite(scores: Scores, f1: str = "f1_macro") -> float:
    """PRISP's number for a task: (accuracy + F1)/2, 1 - (MAE + RMSE)/2, or (R-1 + R-L)/2."""
    match kind_of(scores):
        case "classification":
            return (_metric(scores, "accuracy") + _metric(scores, f1)) / 2
        case "rating":
            return 1 - (_metric(scores, "mae") + _metric(scores, "rmse")) / 2
        case _:
            return (_metric(scores, "rouge1") + _metric(scores, "rougeL")) / 2


def composite_average(tasks: Mapping[str, Scores], f1: str = "f1_macro") -> float:
    """PRISP's Avg.: the mean of the tasks' `composite`s. ValueError without tasks."""
    if not tasks:
        raise ValueError("no tasks: an average needs at least one")
    return mean([composite(scores, f1) for scores in tasks.values()])


def adaptability(source: Scores, target: Scores) -> float:
    """PRISP figure 7: the score with sharers of another task over the score with sharers of this one."""
    own = composite(target)
    if own <= 0:
        raise ValueError(f"the score with sharers of this task is {own:g}: a ratio to it says nothing")
    return composite(source) / own


def composite_cost(tasks: Sequence[Mapping[str, tuple[float, float]]]) -> dict[str, float]:
    """PRISP figure 4: per method the mean over tasks of (memory share + time share)/2, each of the largest.

    `tasks`: for each task {method: (peak memory, training time)}, in any units. ValueError where there are none, a
    task lacks a method, or nothing of a kind was measured (all zeros).
    """
    if not tasks or any(found.keys() != tasks[0].keys() for found in tasks):
        raise ValueError("composite cost: expected at least one task, and the same methods for each")
    shares = [_cost_shares(found) for found in tasks]
    return {method: mean([found[method] for found in shares]) for method in tasks[0]}


def _cost_shares(found: Mapping[str, tuple[float, float]]) -> dict[str, float]:
    memory, seconds = (max(costs) for costs in zip(*found.values(), strict=True))
    if memory <= 0 or seconds <= 0:
        raise ValueError(f"largest memory {memory:g}, largest time {seconds:g}: expected both above zero")
    return {method: (used / memory + took / seconds) / 2 for method, (used, took) in found.items()}


def _metric(scores: Scores, name: str, task: str = "a task") -> float:
    if name not in scores:
        raise ValueError(f"{task} has no {name}, only {', '.join(sorted(scores))}")
    return scores[name]
