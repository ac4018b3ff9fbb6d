"""What the linear layers of a model are given: the inputs at chosen sites while a batch runs through it.

Knows nothing of adapters (those that are set take part) nor of what the inputs are for. Source: Per-Pcs (Tan et al.,
2024), where a user's activations at each module choose the pieces; reference section 3.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from tailorlm.adapters.sites import Site
from tailorlm.backbone.model import Backbone
from tailorlm.backbone.rows import RowBatch

Read = Callable[[Tensor], Tensor]
"""x (N, T, I) -> what is kept of it."""


@torch.no_grad()
def site_inputs(backbone: Backbone, batch: RowBatch, sites: Sequence[Site], read: Read) -> dict[str, Tensor]:
    """path -> `read` of the site's input (N, T, I), for every site; the model's head does not run.

    `read` runs as the layers do, so that no more is kept than it gives; sites with one and the same input share its
    result. Raises ValueError where a site's layer did not run.
    """
    found: dict[str, Tensor] = {}
    last: list[tuple[Tensor, Tensor]] = []  # the newest input and what was read of it

    def keep(path: str, x: Tensor) -> None:
        if not (last and last[0][0] is x):
            last[:] = [(x, read(x))]
        found[path] = last[0][1]

    handles = [
        backbone.model.get_submodule(site.path).register_forward_pre_hook(
            lambda _, args, path=site.path: keep(path, args[0])
        )
        for site in sites
    ]
    try:
        _run(backbone, batch.to(backbone.device))
    finally:
        for handle in handles:
            handle.remove()
    missing = [site.path for site in sites if site.path not in found]
    if missing:
        raise ValueError(f"{backbone.id} did not run {missing[0]} ({len(missing)} of {len(sites)} sites): no inputs")
    return found


def _run(backbone: Backbone, batch: RowBatch) -> None:
    decoder = backbone.model.get_decoder()
    decoder(input_ids=batch.input_ids, attention_mask=batch.attention_mask, use_cache=False)
