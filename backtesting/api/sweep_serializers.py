"""What the API of sweeps takes."""

from backtesting.api.serializers import RunRequestSerializer
from backtesting.domain.objectives import OBJECTIVES
from backtesting.domain.searches import Method
from backtesting.services.sweep_plans import DEFAULT_OBJECTIVE, DEFAULT_SEED
from foundation.serializers import ObjectField, StrictSerializer, TextField, WholeNumberField

_AXES = (
    "For each swept parameter its values: a list (values), or a range (from, to and step; without a "
    "step the strategy's own)."
)


class SweepRequestSerializer(RunRequestSerializer):
    """A request for a sweep; the service behind it checks what the values mean."""

    # A sweep starts at once or not at all: it waits for no candles.
    fetch_missing = None  # type: ignore[assignment]
    parameters = ObjectField(default=dict, help_text="What is not swept; the rest has defaults.")
    space = ObjectField(help_text=_AXES)
    method = TextField(
        max_length=10, default=Method.GRID.value, help_text=f"One of {', '.join(Method)}."
    )
    objective = TextField(
        max_length=30, default=DEFAULT_OBJECTIVE, help_text=f"One of {', '.join(OBJECTIVES)}."
    )
    trials = WholeNumberField(
        default=None, allow_null=True, help_text="How many, unless it is a grid. Null: 100."
    )
    least_trades = WholeNumberField(default=0, help_text="Fewer, and a trial is not ranked.")
    seed = WholeNumberField(default=DEFAULT_SEED, help_text="The same seed makes the same trials.")


class TrialRunSerializer(StrictSerializer):
    """Which trial is to be run as a backtest."""

    number = WholeNumberField()
