"""A family of prompts: how each of its tasks' official prompts is put into its words.

A file of this package is a family if it exports `TEMPLATE`: by the name of a task, a function from the prompt in the
official words, parted by the task, to the same question in the family's. A task that a family does not name is asked
in the official words. Only what is asked is reworded: what answers are, how they are scored and what retrieval reads
stay the task's. Knows nothing of models or of where prompts go. Source: issue 4 (`official`, `p2p`, `prisp`).
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from tailorlm.backbone.prompt import Prompt

Reword = Callable[[Prompt], Prompt]
Template = Mapping[str, Reword]


def around(head: str, tail: str) -> Reword:
    """The body between these two, whatever was around it."""
    return lambda official: replace(official, head=head, tail=tail)
