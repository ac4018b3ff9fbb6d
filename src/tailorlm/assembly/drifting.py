"""What a recipe says of drift: [eval.drift], on which neutral prompts and for how many users it is measured.

Knows nothing of how it is measured (evaluation/neutral.py). Source: issue 4 (drift on neutral prompts).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftSettings:
    """`prompts`: a JSONL file of {"prompt", "answer"}; "" is the list that comes with the package.

    `users`: whose adapters are asked, the first so many of the first split; 0 measures nothing.
    """

    prompts: str = ""
    users: int = 8

    def __post_init__(self) -> None:
        if self.users < 0:
            raise ValueError(f"eval.drift.users is {self.users}; expected at least 0")
