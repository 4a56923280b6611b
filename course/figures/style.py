"""The one style sheet, and `show`, which puts a figure with its alternative text under a notebook cell."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from IPython import get_ipython
from IPython.display import display
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

Drawing = TypeVar("Drawing")
Arguments = ParamSpec("Arguments")

# Okabe and Ito (2008): told apart with every common kind of colour blindness. Roles, so that a colour means one thing.
COLOURS = {
    "floor": "#000000",
    "first": "#0072B2",
    "second": "#D55E00",
    "third": "#009E73",
    "fourth": "#CC79A7",
    "fifth": "#E69F00",
    "sixth": "#56B4E9",
    "muted": "#6E6E6E",
}
# One line style and one marker beside each colour, so that nothing is told by colour alone.
LINES = {"first": "-", "second": "--", "third": "-.", "fourth": ":", "fifth": (0, (5, 1, 1, 1)), "sixth": (0, (1, 1))}
MARKERS = {"first": "o", "second": "s", "third": "^", "fourth": "D", "fifth": "v", "sixth": "P"}

WIDTH = 7.6  # inches: as wide as a notebook's text
DOTS_PER_INCH = 160
SHOWN_DOTS_PER_INCH = 100

STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 10.5,
    "axes.titlesize": 11.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.labelsize": 10.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#444444",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "legend.handlelength": 2.8,
    "lines.linewidth": 2.0,
    "lines.markersize": 5.5,
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}


def in_style(draw: Callable[Arguments, Drawing]) -> Callable[Arguments, Drawing]:
    """Return the figure function `draw`, run in the course's style: matplotlib asks for it as each piece is made."""

    @wraps(draw)
    def styled(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Drawing:
        with rc_context(STYLE):
            return draw(*args, **kwargs)

    return styled


def subplots(
    n_rows: int = 1, n_columns: int = 1, *, height: float = 3.6, **options: Any
) -> tuple[Figure, Axes | list[Axes]]:
    """Return a figure of notebook width and its axes; for use in functions marked `in_style`.

    Args:
        n_rows, n_columns: of axes; with one of each a single Axes comes back, else a flat list of them, row by row.
        height: inches.
        options: as for matplotlib's `Figure.subplots`.
    """
    figure = Figure(figsize=(WIDTH, height), dpi=DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(n_rows, n_columns, squeeze=False, **options).ravel().tolist()
    return figure, axes[0] if len(axes) == 1 else axes


def line(role: str, *, markers: bool = True) -> dict[str, Any]:
    """Return the keyword arguments of `Axes.plot` for one of the roles "first" to "sixth"."""
    style = {"color": COLOURS[role], "linestyle": LINES[role]}
    return {**style, "marker": MARKERS[role]} if markers else style


def to_png(figure: Figure) -> bytes:
    """Return the figure as a PNG file's bytes: the same figure gives the same bytes, on any day."""
    buffer = io.BytesIO()
    with rc_context(STYLE):
        figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return buffer.getvalue()


def show(figure: Figure, *, alt: str) -> None:
    """Show the figure under the cell.

    The alternative text stands in the output's metadata, where nbconvert looks for it, and is the output's plain text,
    for whoever reads the notebook without pictures.

    Args:
        figure: what one of the figure functions gave.
        alt: one sentence that says what is to be seen.

    Raises:
        ValueError: an empty `alt`.
    """
    if not alt.strip():
        raise ValueError("show(figure, alt=...) needs a sentence that says what is to be seen.")
    if get_ipython() is None:
        print(f"[figure] {alt}")
        return
    width, height = (round(inches * SHOWN_DOTS_PER_INCH) for inches in figure.get_size_inches())
    data = {"image/png": base64.b64encode(to_png(figure)).decode(), "text/plain": alt}
    display(data, raw=True, metadata={"image/png": {"alt": alt, "width": width, "height": height}})
