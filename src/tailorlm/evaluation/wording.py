"""What a page says of itself: only of what is there.

Knows nothing of how pages look.
"""

from collections.abc import Sequence

from tailorlm.assembly.datasets import task_of
from tailorlm.evaluation.names import CEILINGS, family, in_order, method_name, plain_name
from tailorlm.evaluation.results import Results
from tailorlm.evaluation.scores import STYLE, is_rating
from tailorlm.evaluation.table import AVERAGE
from tailorlm.metrics.classification import matches

TITLE = "TailorLM: a model that fits each person"
EVERYBODY = "A language model answers everybody alike."
NETWORK = (
    "TailorLM trains a small network, the hypernetwork, once over many people. From then on it reads the profile of a "
    "person it has never seen (short statements about what their history shows) and writes the weights of an adapter "
    "for that person in one pass, with no training for them."
)
FAMILIES = {
    "p2p": "that (P2P)",
    "base": "the plain model",
    "base_profile": "the plain model told the profile",
    "mt_lora": "one adapter for everybody (MT-LoRA)",
    "oppu": "an adapter trained for each person (OPPU)",
    "prisp": "a small part of an adapter trained for each person (PRISP)",
    "per_pcs": "adapters put together of other people's (Per-Pcs)",
    "prime": "adapters merged from other people's (PriME)",
    "text_to_lora": "an adapter made from the task's description (Text-to-LoRA)",
}
MARKS = "The best and the 2nd of a column are marked; two that are best leave no 2nd."
COMPOSITE = (
    "PRISP's composite is (accuracy + macro F1) / 2 of a task with labels, (ROUGE-1 + ROUGE-L) / 2 of a written one, "
    "and 1 - (MAE + RMSE) / 2 of ratings, then the mean over tasks: below 0 where ratings are off by more than a star."
)
COSTS = (
    "Once is training before any user is served. To enrol is to make a new user's adapter (with the profile it is made "
    "from), to answer once is one question. Kept of a user is what has to be stored for each user alone."
)
APART = "Where the runs say different things of a method, it has a row a run."
CARE = {
    "worse off": "Worse off is the share of users whose mean score is below the base model's.",
    "Drift": "Drift is how far a method's words on neutral prompts are from the base model's: 0 is not at all.",
    "Invalid": "Invalid answers are no label, no number, or empty; they count as wrong.",
    "Failed": "Failed rows have no answer or no score, and are in no mean.",
}
"""What columns of the table of harm mean, by a part of their heads."""
PROMPTED = frozenset({"rag", "pag", "rag_pag", "full_history", "profile_only"})


def introduction(results: Results) -> str:
    """What the page compares."""
    there = {family(name) or plain_name(name) for name in results.methods}
    known = [FAMILIES[name] for name in FAMILIES if name in there]
    if there & PROMPTED:
        known.insert(min(2, len(known)), "the plain model with the person's own texts in its prompt")
    if len(known) < 2:
        names = dict.fromkeys(method_name(plain_name(name)) for name in in_order(results.methods))
        known = list(names)
    said = known[0] if len(known) == 1 else f"{known[0]} with {listed(known[1:])}"
    compared = f"This page {'shows' if len(known) == 1 else 'compares'} {said}, on people who were not trained on."
    return " ".join([EVERYBODY, *([NETWORK] if "p2p" in there else []), compared])


def tested(against: str) -> str:
    """What the marks of the table against a reference mean."""
    return (
        f"Every row against {method_name(against)}, on the examples that both answered. ▲ better and ▼ worse: "
        "p below 0.05 in a sign-flip test over users, corrected (Holm) for all comparisons of the column; "
        "~ may be luck."
    )


def judged(results: Results) -> str:
    """Whose judgement it is: a version is a digest of the words it was asked in, and the model's name."""
    version = str(results.judge.get("version") or "")
    who = f" ({version.split(':', 2)[-1]})" if version else ""
    return (
        f"A language model{who} was shown each answer beside the user's own, and gave it from 1 to 5. Answers "
        "without a judgement are in no mean, and in no pair: a difference is over the questions that have a judgement "
        "of both methods."
    )


def care(heads: Sequence[str], runs: int = 1) -> str:
    """What the columns of the table of harm mean, of those that are there, and the rows of several runs."""
    told = [said for part, said in CARE.items() if any(part in head for head in heads)]
    return " ".join([*told, *([APART] if runs > 1 else [])])


def costs(runs: int) -> str:
    """What the columns of the table of costs mean, and the rows of several runs."""
    return f"{COSTS} {APART}" if runs > 1 else COSTS


def listed(names: Sequence[str]) -> str:
    """`a, b and c`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def scale(results: Results) -> str:
    """How to read the scores."""
    return " ".join(["Scores run from 0 to 100.", *counting(results), *drawing(results), MARKS, *unranked(results)])


def counting(results: Results) -> list[str]:
    """How the tasks that are there are counted."""
    tasks = [task for task in results.tasks() if task != AVERAGE]
    written = [task for task in tasks if task_of(task).labels is None]
    exact = [task for task in written if task_of(task).score is matches]
    labels = [task for task in tasks if task not in written and not is_rating(task)]
    said = {
        "Labels count when they are exactly the user's own.": labels,
        "Written answers count when they are exactly the user's own.": exact,
        "Written answers count by the words they share with the user's own (ROUGE).": set(written) - set(exact),
        "Ratings count by their distance from the user's stars (100 minus 25 for each star).": [
            task for task in tasks if is_rating(task)
        ],
    }
    return [sentence for sentence, found in said.items() if found]


def drawing(results: Results) -> list[str]:
    """Where intervals come from, if there are any."""
    return ["Intervals come from drawing users anew, again and again."] if any(results.intervals.values()) else []


def unranked(results: Results) -> list[str]:
    """Which rows are not ranked, and why."""
    ceilings = [method_name(name) for name in in_order(results.methods) if plain_name(name) in CEILINGS]
    few = [method_name(name) for name in in_order(results.methods) if results.few(name)]
    parts = [
        f"{listed(ceilings)}, which knows more" if ceilings else "",
        f"{listed(few)}, measured on fewer users" if few else "",
    ]
    return [f"Not ranked: {'; '.join(part for part in parts if part)}."] if ceilings or few else []


def has_style(results: Results) -> bool:
    """Whether any task measures attributes of style."""
    return any(
        name in STYLE
        for by in results.attributes.values()
        for tasks in by.values()
        for found in tasks.values()
        for name in found
    )
