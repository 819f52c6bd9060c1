"""The compiled loops behind crossings; imported by those who compute."""

from typing import Final

from market.kernel.compiling import compiled, inlined
from market.kernel.memory import borrowed
from strategies.kernel import ENTER_LONG, ENTER_SHORT, EXIT_LONG, EXIT_SHORT, NOT_READY

# mypy: disable-error-code="no-untyped-def"

_UP: Final = ENTER_LONG | EXIT_SHORT
_DOWN: Final = ENTER_SHORT | EXIT_LONG


@compiled
def say_crossings(fast, slow, says):
    """Write into *says* what turning with every crossing of two lines says, bit by bit.

    Parameters
    ----------
    fast, slow
        Shape ``(n,)``; NaN where undefined, which *fast* is no longer than *slow*.
    says
        The output, uint8, shape ``(n,)``: up where *fast* crosses above *slow*, down where it
        crosses below, as ``cross_up`` and ``cross_down`` have it; not ready while *slow* was
        undefined at the bar before.
    """
    if len(says):
        says[0] = NOT_READY
    for i in range(1, len(says)):
        a, b, c, d = fast[i - 1], slow[i - 1], fast[i], slow[i]
        up, down = (a <= b) & (c > d), (a >= b) & (c < d)
        says[i] = up * _UP | down * _DOWN | (b != b) * NOT_READY


@compiled
def ema_crossings(values, fast, slow, up, down):
    """Write down where the average of *fast* values crosses that of *slow* ones, *slow* > *fast* > 1.

    *values*, *up* and *down* have shape ``(n,)``. Both averages are seeded and stepped as TA-Lib's
    are, with the same roundings, so that no crossing lies elsewhere.
    """
    values, up, down = borrowed((values, up, down))
    count = len(values)
    ends = min(slow, count)
    up[:ends] = False
    down[:ends] = False
    if count <= slow:
        return
    fast_step, slow_step = 2.0 / (fast + 1), 2.0 / (slow + 1)
    near, far = _mean(values, fast), _mean(values, slow)
    for i in range(fast, slow):
        near = (values[i] - near) * fast_step + near
    for i in range(slow, count):
        was_above, was_below = near > far, near < far
        near = (values[i] - near) * fast_step + near
        far = (values[i] - far) * slow_step + far
        # Bits and no branches: a crossing is what no processor can foretell.
        up[i] = ~was_above & (near > far)
        down[i] = ~was_below & (near < far)


@inlined
def _mean(values, period):
    total = 0.0
    for i in range(period):
        total += values[i]
    return total / period
