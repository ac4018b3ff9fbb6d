"""The adapters of a batch's rows: gathered once from tensors with a user axis.

Knows nothing of what the tensors mean. Source: design section 3 (row i is computed with adapter `index[i]`).
"""

import torch
from torch import Tensor


def of_rows(tensor: Tensor, index: Tensor, dtype: torch.dtype, base: float = 0.0) -> Tensor:
    """(U, L, ...) -> (L, N, ...) for rows `index` (N,); all `base` where the index is -1."""
    index = index.to(tensor.device)
    rows = tensor.transpose(0, 1).index_select(1, index.clamp_min(0)).to(dtype)
    absent = index < 0
    if bool(absent.any()):
        # where, not a product: an adapter that no row uses must not reach the base's rows, not even as NaN.
        rows = torch.where(absent.view(1, -1, *[1] * (rows.dim() - 2)), rows.new_tensor(base), rows)
    return rows
