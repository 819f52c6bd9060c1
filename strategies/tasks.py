"""What a worker that uses kernels does before it takes its first task."""

from typing import Any, Final

from celery.signals import worker_init

from strategies import decide
from strategies.indicators import averages, crossings, forecast, peaks

#: The queues whose workers compute strategies, or protect what these have opened.
_COMPUTING: Final = frozenset({"compute", "control", "evaluate", "orders"})


@worker_init.connect
def load_computing(sender: Any, **_: Any) -> None:
    """Load indicators and kernels before the worker forks: once for all its children, outside of any claim.

    It takes seconds on a busy machine, in which a bar grows stale and a claim runs out. Workers of
    other queues do without its memory.
    """
    if _COMPUTING & sender.app.amqp.queues.consume_from.keys():
        for each in (averages, crossings, forecast, peaks, decide):
            each.preload()
