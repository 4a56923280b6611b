"""A progress bar that leaves one clean line in a notebook."""

from __future__ import annotations

from typing import Any

from IPython import get_ipython
from IPython.display import display
from tqdm.std import tqdm


class Progress(tqdm):
    """A tqdm bar. In a notebook it is drawn as one display that is updated in place.

    tqdm's own console bar would write to standard error, which a saved notebook shows as a warning, and its notebook
    bar needs ipywidgets. The last state names the work and the count and no times: a saved notebook stays the same.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        shell = get_ipython()
        self._handle = None
        self._in_notebook = shell is not None and shell.has_trait("kernel")
        super().__init__(*args, **{"mininterval": 0.5, "leave": False, **kwargs})

    def display(self, msg: str | None = None, pos: int | None = None) -> bool:
        """Draw the bar; called by tqdm."""
        if not self._in_notebook:
            return super().display(msg, pos)
        self._draw(str(self) if msg is None else msg)
        return True

    def close(self) -> None:
        """Leave the last line: what was done, and how often."""
        if self._in_notebook and not self.disable:
            self.disable = True  # tqdm's own close would print a line end
            self._draw(f"{self.desc.removesuffix(': ')}: {self.n} {self.unit}{'' if self.n == 1 else 's'}, done")
            self._decr_instances(self)
            return
        super().close()

    def _draw(self, line: str) -> None:
        data = {"text/plain": line}
        if self._handle is None:
            self._handle = display(data, raw=True, display_id=True)
        else:
            self._handle.update(data, raw=True)
