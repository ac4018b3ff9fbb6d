"""A few users' questions with every method's answer, right or wrong.

Knows nothing of files. Users' text goes through `element`, which escapes it, and stands in `bdi`, so that its
direction of writing stays its own.
"""

from collections.abc import Sequence

from tailorlm.evaluation.answers import Row
from tailorlm.evaluation.markup import Markup, element
from tailorlm.evaluation.names import in_order, method_kind, method_name, split_name, task_name
from tailorlm.evaluation.scores import is_rating, score_answers

LONGEST = 600
SIGNS = {"right": "✓", "close": "≈", "partly": "≈", "wrong": "✗", "unscored": "?"}


def user_card(number: int, split: str, rows: Sequence[Row], run: str = "") -> Markup:
    """One user: the profile in words, then a question a task with the answers; the first one is open."""
    statements = list(dict.fromkeys(statement for row in rows for statement in row.profile))
    items = element("ul", *(element("li", said(statement)) for statement in statements))
    profile = element("div", element("h4", "The profile, in words"), items) if statements else None
    head = element(
        "summary", element("h3", f"User {number}, of the {split_name(split).lower()}{f', run {run}' if run else ''}")
    )
    questions = element("div", *(question(row) for row in rows), class_="questions")
    card = element("details", head, profile, questions, open="" if number == 1 else None)
    return element("article", card)


def question(row: Row) -> Markup:
    """One question: what was asked, what the user gave, what each method answers."""
    asked = element("p", said(row.input), class_="asked")
    gold = element("p", "The user's own answer: ", element("strong", said(row.target)))
    rows = [answer(row, name) for name in in_order(row.outputs)]
    caption = element("caption", f"Answers to {task_name(row.task).lower()}", class_="unseen")
    answers = element("table", caption, element("tbody", *rows), class_="answers")
    return element("div", element("h4", task_name(row.task)), asked, gold, answers, class_="question")


def answer(row: Row, method: str) -> Markup:
    """One method's answer with its verdict as sign, word and colour."""
    verdict = judged(row.task, row.outputs[method], row.target)
    sign = element("span", SIGNS[verdict], class_=f"sign {verdict}", title=verdict, role="img", aria_label=verdict)
    name = element("th", method_name(method), scope="row", class_=method_kind(method))
    return element("tr", name, element("td", sign), element("td", said(row.outputs[method])))


def judged(task: str, output: str, target: str) -> str:
    """right, close (a rating one star off), partly (a text that shares words) or wrong; unscored: the target is odd."""
    try:
        [score] = score_answers(task, [output], [target])
    except ValueError:  # a failed row of the run
        return "unscored"
    if score in (0, 1):
        return "right" if score else "wrong"
    if not is_rating(task):
        return "partly"
    return "close" if score >= 0.75 else "wrong"


def said(text: str) -> Markup:
    """Somebody's text, its length kept in bounds; nothing said is shown as such."""
    if not text.strip():
        return element("em", "(nothing)")
    shown = text if len(text) <= LONGEST else f"{text[:LONGEST]} … ({len(text) - LONGEST} more characters)"
    return element("bdi", shown)
