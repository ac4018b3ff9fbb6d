"""What a kind of adapter may ask of a model: its linear layers by name, and its sizes.

Knows nothing of what a model computes. `Backbone.shape` makes one. Source: design section 2.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from tailorlm.adapters.sites import Site


@dataclass(frozen=True, eq=False)
class Shape:
    """A model's layers and sizes.

    sites(targets)     the linear layers of these names in every layer of the stack; ValueError for one not there
    hidden, layers     width of the embeddings (H) and length of the stack (L)
    kv_heads, head_dim number (K) and size (D) of the key-value heads; 0 where layers differ or the model does not say
    vocabulary         number of its tokens; embed(ids (V,)) -> (V, H), as the first layer reads them
    """

    sites: Callable[[Sequence[str]], tuple[Site, ...]]
    hidden: int
    layers: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    embed: Callable[[Tensor], Tensor]

    @staticmethod
    def of_sites(sites: Sequence[Site]) -> "Shape":
        """Of a model of which only these layers are known; nothing is taken from the names."""
        return Shape(lambda _: tuple(sites), 0, 0, 0, 0, 0, lambda ids: ids)
