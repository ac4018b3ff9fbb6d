"""Five users of unequal history with a low-rank regression each, to be trained side by side."""

import torch
from torch import Tensor

from tailorlm.training.many import ManyResult, ManySettings, Slice, train_many
from tailorlm.training.plan import Plan, plan_epochs
from tailorlm.training.streams import uniforms

ROWS, WIDTH = 40, 6
ROW_COUNTS = (11, 3, 7, 0, 9)  # users of unequal history, one without any
IDS = ("ada", "bob", "cem", "dua", "eve")


def data(seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(ROWS, WIDTH, generator=generator)
    return x, torch.randn(ROWS, generator=generator)


def start(seed: int = 3) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        "A": torch.randn(len(IDS), 3, WIDTH, generator=generator),
        "B": torch.randn(len(IDS), 3, generator=generator) / 2,
    }


def rows_of() -> list[list[int]]:
    ends = [sum(ROW_COUNTS[: i + 1]) for i in range(len(ROW_COUNTS))]
    return [list(range(end - n, end)) for n, end in zip(ROW_COUNTS, ends, strict=True)]


class Loss:
    """A low-rank regression with dropout on the input, from each row's own stream."""

    def __init__(self, x: Tensor, y: Tensor, dropout: float = 0.0) -> None:
        self.x, self.y, self.dropout = x, y, dropout

    def __call__(self, params: dict[str, Tensor], part: Slice) -> Tensor:
        rows = list(part.rows)
        x = self.x[rows]
        if self.dropout:
            x = x * (uniforms(part.keys, (WIDTH,)) >= self.dropout) / (1 - self.dropout)
        hidden = torch.bmm(params["A"][part.users], x.unsqueeze(-1)).squeeze(-1).tanh()
        return ((hidden * params["B"][part.users]).sum(-1) - self.y[rows]).square()


SETTINGS = ManySettings(learning_rate=3e-2, warmup=0.3, clip=0.5, weight_decay=0.1)


def train_all(loss: Loss, rows_at_once: int = 64, plan: Plan | None = None) -> ManyResult:
    settings = ManySettings(learning_rate=3e-2, warmup=0.3, clip=0.5, weight_decay=0.1, rows_at_once=rows_at_once)
    return train_many(loss, start(), plan or plan_epochs(IDS, rows_of(), epochs=4, batch=3), settings)


def one(user: int) -> tuple[dict[str, Tensor], Plan]:
    params = {name: value[user : user + 1] for name, value in start().items()}
    return params, plan_epochs(IDS[user : user + 1], rows_of()[user : user + 1], epochs=4, batch=3)
