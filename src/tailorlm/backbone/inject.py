"""Puts adapters into a shared, frozen model: row i of a batch runs with adapter `index[i]`.

Knows nothing of what an adapter computes (its space does) nor of text. The layers' `forward` is replaced only
while adapters are set; an idle injector leaves no trace. Source: design section 3; reference section 1 (every
sample of a batch received the FIRST user's adapter in the published code).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.sites import Site
from tailorlm.adapters.space import AdapterSpace, Change, Virtual
from tailorlm.backbone.patch import replace_forward, restore_forward


class Injector:
    """Sets adapters of `space` on `model`. Raises ValueError on a site that it lacks or has otherwise."""

    def __init__(self, model: Any, space: AdapterSpace) -> None:
        self.model = model
        self.space = space
        self._linears = {site.path: _linear(model, site) for site in space.sites}
        self._inputs = _shared_inputs(model, space.sites)
        self._patched: list[nn.Module] = []
        self._inside = False

    def set(self, adapters: Adapters | None, index: Tensor, dropout: float = 0.0) -> None:
        """From now on, row i runs with `adapters[index[i]]`, or as the base model where index is -1.

        index: (N,) long; forward passes must have N rows. Stays set, so that backward may recompute, until
        `clear` or the next `set`. `dropout` acts on the adapters' inputs. Raises BadAdapters on NaN or Inf,
        ValueError on a wrong index or space, RuntimeError if the model carries other adapters.
        """
        if self._inside:
            raise RuntimeError("an enclosing `with injector(...)` has set adapters; nested use is an error")
        self._put(adapters, index, dropout)

    def clear(self) -> None:
        """The plain base model again."""
        if self._inside:
            raise RuntimeError("adapters are set by an enclosing `with injector(...)`; leave it instead")
        self._restore()

    @contextmanager
    def __call__(self, adapters: Adapters | None, index: Tensor, dropout: float = 0.0) -> Iterator[None]:
        """`set` for the length of a `with` block. Backward through checkpointed layers belongs inside it."""
        self.set(adapters, index, dropout)
        self._inside = True
        try:
            yield
        finally:
            self._inside = False
            self._restore()

    def _put(self, adapters: Adapters | None, index: Tensor, dropout: float) -> None:
        self._restore()
        _check(adapters, index, self.space)
        if adapters is None or not bool((index >= 0).any()):
            return
        adapters.check(index[index >= 0].unique())
        changes = self.space.bind(adapters.tensors, index, self._inputs, self._dtype(), dropout)
        for path, change in changes.items():
            linear = self._linears[path]
            self._patch(linear, _changed(linear.forward, change, len(index)))
        virtual = self.space.virtual(adapters.tensors, index, self.model.dtype)
        if virtual is not None:
            self._patch(*self._prefixed(virtual))

    def _dtype(self) -> torch.dtype:
        dtype: torch.dtype = self.model.dtype
        return next((linear.weight.dtype for linear in self._linears.values()), dtype)

    def _prefixed(self, virtual: Virtual) -> tuple[nn.Module, Any]:
        from tailorlm.backbone.virtual import Prefixed  # takes transformers along, which layers' changes do not need

        decoder = self.model.get_decoder()
        return decoder, Prefixed(decoder, decoder.forward, virtual, self.space.virtual_tokens)

    def _patch(self, module: nn.Module, forward: Any) -> None:
        try:
            replace_forward(module, forward)
        except RuntimeError as error:
            self._restore()
            raise RuntimeError("the model carries adapters of another injector; clear that one first") from error
        self._patched.append(module)

    def _restore(self) -> None:
        for module in self._patched:
            restore_forward(module)
        self._patched.clear()


def _changed(plain: Any, change: Change, rows: int) -> Any:
    def forward(x: Tensor) -> Tensor:
        if x.dim() != 3 or x.shape[0] != rows:
            raise ValueError(f"adapters are set for {rows} rows; a layer's input is {tuple(x.shape)}")
        return change(x, plain)

    return forward


def _check(adapters: Adapters | None, index: Tensor, space: AdapterSpace) -> None:
    if index.dim() != 1 or index.dtype != torch.long:
        raise ValueError(f"index must be (N,) long, is {tuple(index.shape)} {index.dtype}")
    if adapters is not None and adapters.space != space:
        raise ValueError(f"adapters of another space: expected {space}, found {adapters.space}")
    last = -1 if adapters is None else len(adapters) - 1
    if bool(((index < -1) | (index > last)).any()):
        raise ValueError(f"index holds {index.tolist()}; valid are -1 (base) to {last}")


def _linear(model: Any, site: Site) -> nn.Linear:
    try:
        module = model.get_submodule(site.path)
    except AttributeError:
        module = None
    if not isinstance(module, nn.Linear):
        raise ValueError(f"{site.path} is {type(module).__name__} in this model; adapters need nn.Linear")
    if (module.in_features, module.out_features) != (site.d_in, site.d_out):
        found = f"{module.in_features}x{module.out_features}"
        raise ValueError(f"{site.path} must be {site.d_in}x{site.d_out}, is {found}: another base model")
    return module


def _shared_inputs(model: Any, sites: tuple[Site, ...]) -> tuple[tuple[Site, ...], ...]:
    """Sites by the very tensor they read, seen in a run over one token; a site that did not run is alone."""
    if not sites:
        return ()
    seen: dict[str, Tensor] = {}
    linears = {site.path: model.get_submodule(site.path) for site in sites}
    hooks = [
        linear.register_forward_pre_hook(lambda _, args, path=path: seen.__setitem__(path, args[0]))
        for path, linear in linears.items()
    ]
    try:
        with torch.no_grad():
            model(input_ids=torch.zeros(1, 1, dtype=torch.long, device=model.device), use_cache=False)
    finally:
        for hook in hooks:
            hook.remove()
    together: dict[int, list[Site]] = {}
    for number, site in enumerate(sites):
        together.setdefault(id(seen[site.path]) if site.path in seen else -1 - number, []).append(site)
    return tuple(tuple(sharing) for sharing in together.values())
