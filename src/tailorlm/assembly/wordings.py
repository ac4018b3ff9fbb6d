"""Tasks in the words of a recipe's template.

Knows nothing of what templates say: each is a file of templates/, found by its name. Source: issue 4 (`official`,
`p2p`, `prisp`).
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

from tailorlm.assembly.datasets import task_of
from tailorlm.plugins import find
from tailorlm.tasks.task import Task
from tailorlm.templates.template import Template


@cache
def asked_as(template: str) -> Callable[[str | None], Task]:
    """What gives tasks by name, asked in the words of the template; a task that it does not name stays official.

    ValueError, with the nearest valid names, for an unknown template.
    """
    words: Template = find("templates", template).TEMPLATE

    @cache
    def worded(name: str | None) -> Task:
        task = task_of(name)
        official, reword = task.prompt, words.get(task.name)
        return task if reword is None else replace(task, prompt=lambda text: reword(official(text)))

    return worded
