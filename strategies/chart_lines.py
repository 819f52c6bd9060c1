"""A strategy's lines in the format of the charts: see ``static/js/charts.js``."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from strategies.shapes import Overlay


def chart_line(overlay: Overlay, times: NDArray[np.int64]) -> dict[str, Any]:
    """Return *overlay* as name, pane and points, one of *times* (seconds in UTC) to each value.

    Where it is undefined there is no point, but one without value in each gap: the line breaks
    there.
    """
    defined = np.isfinite(overlay.values)
    breaks = np.zeros_like(defined)
    breaks[1:] = defined[:-1] & ~defined[1:]
    # Past its last value a line is not broken, but over.
    last = np.flatnonzero(defined)[-1:]
    breaks[int(last[0]) if len(last) else 0 :] = False
    kept = defined | breaks
    return {
        "name": overlay.name,
        "pane": overlay.pane,
        "points": [
            {"time": time, "value": value if np.isfinite(value) else None}
            for time, value in zip(times[kept].tolist(), overlay.values[kept].tolist(), strict=True)
        ],
    }
