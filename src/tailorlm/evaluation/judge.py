"""A language model as the judge of how well an answer fits its user: 1 to 5, or why there is no score.

A reply without one clear score is recorded as unparsable, a failed call as failed; neither is ever scored. Users'
texts go to the endpoint, and into its cache of mode 0700, and nowhere else: not into errors, ids or file names.
Knows nothing of methods, runs or tasks. Source: P2P section 4, table 3 and appendix J (a rubric of five levels,
with the user's profile and a reference that would get a 5); the words are ours.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from tailorlm.assembly.judging import HIGH, LOW, Template
from tailorlm.metrics.rows import mean
from tailorlm.profiles.endpoint import EndpointError, Reply, Settings
from tailorlm.profiles.replies import asker, claim

NOTHING_KNOWN = "nothing is known"
FIELDS = ("instruction", "response", "reference", "profile", "rubric")
PLACES = re.compile(r"\{(" + "|".join(FIELDS) + r")\}")
RESULT = re.compile(r"\[RESULT\][\s:=(*_`\"']*", re.IGNORECASE)
FAILED: Literal["failed"] = "failed"
SCORE = re.compile(r"([1-5])(?:\s*/\s*5)?[\s.*_)\]`\"']*")


@dataclass(frozen=True, slots=True)
class Question:
    """An answer (`output`) to judge, with what was asked (`input`), the user's own `target`, and their profile.

    `user_id`: whose it is, so that a cache of replies can forget them.
    """

    id: str
    input: str
    output: str
    target: str
    profile: str = ""
    user_id: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """`score` 1 to 5, or None with the `fault` and its `reason`, which holds none of the reply's words."""

    id: str
    score: int | None
    fault: Literal["", "unparsable", "failed"] = ""
    reason: str = ""


class Asker(Protocol):
    """Whom the judge asks: an endpoint, or a cached one."""

    def stream(self, prompts: Sequence[str]) -> Iterator[tuple[int, Reply]]: ...


class Judge:
    """Questions to judgements, several at a time. `version` names the model and every word it is asked with."""

    def __init__(self, ask: Asker, model: str, template: Template | None = None) -> None:
        self.ask, self.template = ask, template or Template()
        self.version = f"{self.template.version}:{model}"

    def __call__(self, questions: Sequence[Question]) -> list[Judgement]:
        """A judgement a question, in order."""
        found = dict(self.stream(questions))
        return [found[place] for place in range(len(questions))]

    def stream(self, questions: Sequence[Question]) -> Iterator[tuple[int, Judgement]]:
        """(place, judgement) as they come, for progress and for writing each down at once."""
        prompts = [filled(self.template, question) for question in questions]
        claim(self.ask, ((one.user_id, asked) for one, asked in zip(questions, prompts, strict=True) if one.user_id))
        for place, reply in self.ask.stream(prompts):
            yield place, judgement(questions[place].id, reply)


def make(endpoint: Settings, template: Template | None = None) -> Judge:
    """The judge at that address."""
    return Judge(asker(endpoint), endpoint.model, template)


def filled(template: Template, question: Question) -> str:
    """The whole request. One pass: braces inside users' texts stay as they are."""
    fields = {
        "instruction": question.input,
        "response": question.output,
        "reference": question.target,
        "profile": question.profile.strip() or NOTHING_KNOWN,
        "rubric": "\n".join(f"{score}: {text}" for score, text in enumerate(template.rubric, LOW)),
    }
    return PLACES.sub(lambda place: fields[place[1]], template.prompt)


def judgement(id: str, reply: Reply) -> Judgement:
    """What a reply says: the score after its last [RESULT], if that ends the reply and no other contradicts it."""
    if isinstance(reply, EndpointError):
        return Judgement(id, None, FAILED, reply.reason)
    said = [SCORE.match(part) for part in RESULT.split(reply)[1:]]
    if not said:
        return Judgement(id, None, "unparsable", "no [RESULT] in the reply")
    last = RESULT.split(reply)[-1]
    if not SCORE.fullmatch(last):
        return Judgement(id, None, "unparsable", f"after [RESULT] there is no whole number from {LOW} to {HIGH} alone")
    scores = {found[1] for found in said if found}
    if len(scores) > 1 or None in said:
        return Judgement(id, None, "unparsable", "the reply has several results that differ")
    return Judgement(id, int(scores.pop()))


def summary(judgements: Sequence[Judgement]) -> dict[str, float]:
    """`judge`, the mean of the scores (left out where there are none), and how many are `judged`, `unparsable`,
    `failed`.
    """
    scores = [float(found.score) for found in judgements if found.score is not None]
    faults = Counter(found.fault for found in judgements)
    counts = {"judged": len(scores), "unparsable": faults["unparsable"], "failed": faults["failed"]}
    means = {"judge": mean(scores)} if scores else {}
    return means | {name: float(count) for name, count in counts.items()}
