"""The compiled loop behind crossings of many pairs of lines; imported by those who compute."""

from typing import Final

from market.kernel.compiling import compiled
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
