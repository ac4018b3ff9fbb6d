"""Runs a model with virtual tokens before the text, different keys and values on every row.

Virtual tokens are the first V entries of every layer's keys and values, so that the text's own positions in
and out of the model stay as they are. Prompts become keys and values by a run of their own over V tokens; later
tokens cannot change them. Rows without virtual tokens have those entries masked and their positions unshifted.
Knows nothing of kinds of adapters. Source: PEFT's prompt and prefix tuning, whose numbers these are on rows without
padding on the left; positions come from the mask here, so that padding never moves a text away from its prompt.
"""

from typing import Any
from weakref import WeakSet

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache, DynamicLayer

from tailorlm.adapters.space import Virtual


class Prefixed:
    """The forward of a decoder with virtual tokens; `plain` is its own. ValueError on layers without keys."""

    def __init__(self, decoder: Any, plain: Any, virtual: Virtual, tokens: int) -> None:
        self.config, self.plain, self.virtual, self.tokens = decoder.config, plain, virtual, tokens
        self.filled: WeakSet[Any] = WeakSet()
        odd = {type(layer).__name__ for layer in DynamicCache(config=self.config).layers if not _plain_layer(layer)}
        if odd:
            raise ValueError(
                f"virtual tokens need attention in every layer; {type(decoder).__name__} has {sorted(odd)}"
            )

    def __call__(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Any = None,
        inputs_embeds: Tensor | None = None,
        use_cache: bool | None = None,
        **others: Any,
    ) -> Any:
        read: Tensor | None = input_ids if inputs_embeds is None else inputs_embeds
        if read is None or len(read) != len(self.virtual.present):
            raise ValueError(f"adapters are set for {len(self.virtual.present)} rows; the input is another number")
        keeps = self.config.use_cache if use_cache is None else use_cache
        cache = past_key_values
        if cache is None:
            cache = DynamicCache(config=self.config) if keeps else Prefix(config=self.config)
        self._fill(cache)
        text = self._text_mask(attention_mask, cache.get_seq_length() - self.tokens + read.shape[1], read)
        done = self.plain(
            input_ids=input_ids,
            attention_mask=torch.cat([self._present(text).expand(-1, self.tokens), text], 1),
            position_ids=self._positions(text, position_ids, read.shape[1]),
            past_key_values=cache,
            inputs_embeds=inputs_embeds,
            use_cache=keeps,
            **others,
        )
        if past_key_values is None and not keeps:
            done.past_key_values = None
        return done

    def _fill(self, cache: Any) -> None:
        """Puts the virtual tokens into an empty cache. ValueError for one that was filled without them."""
        if cache in self.filled:
            return
        if cache.get_seq_length():
            raise ValueError("this cache was filled without the virtual tokens that are set; begin with an empty one")
        for layer, (keys, values) in enumerate(self._keys_values()):
            cache.update(keys, values, layer)
        if isinstance(cache, Prefix):
            cache.sealed = True
        self.filled.add(cache)

    def _keys_values(self) -> list[tuple[Tensor, Tensor]]:
        """Per layer keys and values (N, K, V, D); with embeddings by running them through the layers."""
        virtual = self.virtual
        if virtual.keys is not None and virtual.values is not None:
            return list(zip(virtual.keys.unbind(0), virtual.values.unbind(0), strict=True))
        seen = Recorded(config=self.config)
        self.plain(inputs_embeds=virtual.embeddings, past_key_values=seen, use_cache=False)
        if missing := [layer for layer in range(len(seen.layers)) if layer not in seen.made]:
            raise ValueError(f"virtual tokens need keys in every layer; layers {missing} of this model make none")
        return [seen.made[layer] for layer in range(len(seen.layers))]

    def _present(self, text: Tensor) -> Tensor:
        return self.virtual.present.to(text)[:, None]

    def _text_mask(self, mask: Tensor | None, tokens: int, like: Tensor) -> Tensor:
        if mask is None:
            return torch.ones(len(like), tokens, dtype=torch.long, device=like.device)
        if not isinstance(mask, Tensor) or mask.shape != (len(like), tokens):
            raise ValueError(f"with virtual tokens the attention mask must be ({len(like)}, {tokens}), one per token")
        return mask

    def _positions(self, text: Tensor, given: Tensor | None, tokens: int) -> Tensor:
        """(N, T): a text begins behind its virtual tokens, wherever padding puts it."""
        own = (text.long().cumsum(1) - 1).clamp_min(0)[:, -tokens:] if given is None else given
        return own + self.tokens * self._present(own)


class Prefix(DynamicCache):
    """Holds virtual tokens; once `sealed`, the text's own pass by unkept: a layer may be recomputed in backward."""

    sealed = False

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """(N, K, T, D) each -> virtual tokens and text (N, K, V + T, D)."""
        if not self.sealed:
            return super().update(key_states, value_states, layer_idx, *args, **kwargs)
        layer: Any = self.layers[layer_idx]
        keys = torch.cat([layer.keys.to(key_states), key_states], 2)
        return keys, torch.cat([layer.values.to(value_states), value_states], 2)


class Recorded(DynamicCache):
    """Notes each layer's keys and values and stays empty, so that recomputing a layer notes the same again."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.made: dict[int, tuple[Tensor, Tensor]] = {}

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """What came in, noted."""
        self.made[layer_idx] = key_states, value_states
        return key_states, value_states


def _plain_layer(layer: Any) -> bool:
    return isinstance(layer, DynamicLayer) and not hasattr(layer, "indexer_keys")
