"""Norms of the gradient of B, by layer and by step: PRISP figure 9.

Source: PRISP appendix C (gradient analysis); methods/bridge.layer_norms.
"""

from collections.abc import Sequence
from statistics import fmean

from tailorlm.evaluation.curves import binned
from tailorlm.evaluation.figure import Figure
from tailorlm.evaluation.names import in_order, method_kind, method_name
from tailorlm.evaluation.plots import Axis, Line, Lines, Point
from tailorlm.evaluation.report_merge import Board

NORM, WHOLE = Axis("norm of the gradient of B"), "{:g}".format


def plots(board: Board) -> list[Lines]:
    """One picture by layer, one by step."""
    found = {name: board.results.gradient_norms[name] for name in in_order(board.results.gradient_norms)}
    layers = {name: [fmean(norms) for norms in zip(*steps, strict=True)] for name, steps in found.items()}
    steps = {name: [fmean(norms) for norms in steps] for name, steps in found.items()}
    return [
        *picture("By layer, the mean over steps", Axis("layer, from 0", WHOLE), layers, 0),
        *picture("By step, the mean over layers", Axis("step", WHOLE), steps, 1),
    ]


def picture(title: str, axis: Axis, found: dict[str, list[float]], first: int) -> list[Lines]:
    """A line a method, from `first` on; none where no method has two values."""
    lines = tuple(line(name, norms, first) for name, norms in found.items() if len(norms) > 1)
    return [Lines(title, axis, NORM, lines)] if lines else []


def line(name: str, norms: Sequence[float], first: int) -> Line:
    """A method's norms; of many, means of neighbours."""
    points = binned([(float(place), norm) for place, norm in enumerate(norms, first)])
    return Line(method_name(name), tuple(Point(x, y) for x, y in points), method_kind(name))


FIGURE = Figure(
    title="Gradients by layer",
    source="PRISP figure 9",
    about="How strongly each layer is trained: the norm of the gradient of B, the mean over users.",
    wants="a run of methods that train B for each user and keep its norms (`gradient_norms = true`): "
    "`tailor eval recipes/paper/prisp.toml --set show=figure_9`",
    plots=plots,
)
