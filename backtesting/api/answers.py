"""What the API of backtesting answers, described field by field for the schema."""

from typing import Any

from rest_framework import serializers

from backtesting.metrics import Better, Unit
from backtesting.models import AwaitedStatus, RunStatus


class ExactField(serializers.CharField):
    """A decimal as text, never rounded."""


class FailureSerializer(serializers.Serializer[Any]):
    """Why a run has no result."""

    code = serializers.CharField()
    message = serializers.CharField()


class RunInListSerializer(serializers.Serializer[Any]):
    """A run as a line of a list."""

    id = serializers.UUIDField()
    status = serializers.ChoiceField(RunStatus.values)
    progress = serializers.IntegerField(help_text="Percent.")
    strategy = serializers.CharField()
    market = serializers.CharField()
    timeframe = serializers.CharField()
    effective_from = serializers.DateTimeField(
        allow_null=True, help_text="Where trading began: after the warm-up."
    )
    requested_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    tags = serializers.ListField(child=serializers.CharField())
    error = FailureSerializer(allow_null=True)

    def get_fields(self) -> dict[str, Any]:
        """Return the fields with ``from`` and ``to``, of which the first is no name in Python."""
        window = {"from": serializers.DateTimeField(), "to": serializers.DateTimeField()}
        return {**super().get_fields(), **window}


class AwaitedRunSerializer(serializers.Serializer[Any]):
    """A backtest that waits for candles; ``run`` is the backtest itself once it has begun."""

    id = serializers.UUIDField()
    status = serializers.ChoiceField(AwaitedStatus.values)
    progress = serializers.IntegerField(help_text="Of what is fetched, percent.")
    strategy = serializers.CharField()
    market = serializers.CharField(help_text="Or the universe.")
    timeframe = serializers.CharField()
    requested_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    run = serializers.UUIDField(allow_null=True)
    error = FailureSerializer(allow_null=True)


class BetterEndSerializer(serializers.Serializer[Any]):
    """What a run would have come to with the better order inside each bar."""

    final_equity = serializers.FloatField()
    total_return = serializers.FloatField()


class RunSerializer(RunInListSerializer):
    """Everything about a run but its trades and series, which have addresses of their own."""

    notes = serializers.CharField()
    parameters = serializers.DictField()
    capital = ExactField()
    maker_fee_bps = ExactField()
    taker_fee_bps = ExactField()
    slippage_bps = ExactField()
    funding_bps = ExactField()
    strategy_version = serializers.IntegerField()
    engine_version = serializers.CharField()
    spec_hash = serializers.CharField(help_text="Runs with the same hash are the same run.")
    data_fingerprint = serializers.CharField(allow_null=True)
    bars = serializers.IntegerField(allow_null=True)
    missing_bars = serializers.IntegerField(
        help_text="Of the window, from where it could trade on: gaps in the stored candles."
    )
    metrics = serializers.DictField(allow_null=True)
    monthly_returns = serializers.JSONField(allow_null=True)
    by_exit_reason = serializers.JSONField(allow_null=True)
    symbols = serializers.ListField(child=serializers.CharField(), help_text="What it trades.")
    universe = serializers.DictField(
        allow_null=True, help_text="Of a run over many markets: each, exposure and correlation."
    )
    by_direction = serializers.ListField(child=serializers.DictField(), allow_null=True)
    by_entry = serializers.ListField(child=serializers.DictField(), allow_null=True)
    decisions = serializers.JSONField(allow_null=True)
    cautions = serializers.ListField(
        child=serializers.CharField(), help_text="What to know of these parameters first."
    )
    ambiguous_bars = serializers.IntegerField(
        allow_null=True, help_text="Bars that do not say in which order their prices came."
    )
    optimistic = BetterEndSerializer(
        allow_null=True,
        help_text="The better end of the interval; all other figures are the worse.",
    )
    links = serializers.DictField(child=serializers.CharField())


class TradeSerializer(serializers.Serializer[Any]):
    """A round trip from flat to flat; fractions are numbers, 0.01 is 1 %."""

    number = serializers.IntegerField()
    symbol = serializers.CharField(help_text="Empty unless the run is over many markets.")
    direction = serializers.CharField()
    entry_at = serializers.DateTimeField()
    exit_at = serializers.DateTimeField()
    quantity = ExactField()
    entry_price = ExactField()
    exit_price = ExactField()
    fees = ExactField()
    slippage = ExactField()
    funding = ExactField()
    pnl = ExactField()
    exit_reason = serializers.CharField()
    is_open = serializers.BooleanField()
    bars = serializers.IntegerField()
    adverse_excursion = serializers.FloatField()
    favorable_excursion = serializers.FloatField()

    def get_fields(self) -> dict[str, Any]:
        """Return the fields with ``return``, which is no name in Python."""
        return {**super().get_fields(), "return": serializers.FloatField()}


class PointSerializer(serializers.Serializer[Any]):
    """One point of a line."""

    time = serializers.IntegerField(help_text="Seconds since 1970 in UTC.")
    value = serializers.FloatField()


class LinePointSerializer(PointSerializer):
    """One point of a strategy's line."""

    value = serializers.FloatField(allow_null=True, help_text="Null where the line breaks.")


class LineSerializer(serializers.Serializer[Any]):
    """A line of a strategy, over its candles or below them."""

    name = serializers.CharField()
    pane = serializers.CharField(
        allow_blank=True,
        help_text="Empty over the candles; lines of one pane below share a scale of their own.",
    )
    points = LinePointSerializer(many=True)


class SeriesLineSerializer(serializers.Serializer[Any]):
    """One line of a result."""

    name = serializers.CharField()
    points = PointSerializer(many=True)
    kind = serializers.ChoiceField(["equity", "benchmark", "drawdown", "return"])


class SeriesSerializer(serializers.Serializer[Any]):
    """The lines of a result."""

    series = SeriesLineSerializer(many=True)


class CandleSerializer(serializers.Serializer[Any]):
    """One candle; ``time`` is its opening in seconds since 1970 in UTC."""

    time = serializers.IntegerField()
    open = serializers.FloatField()
    high = serializers.FloatField()
    low = serializers.FloatField()
    close = serializers.FloatField()


class MarkerSerializer(serializers.Serializer[Any]):
    """An entry or an exit on a candle."""

    time = serializers.IntegerField()
    side = serializers.ChoiceField(["BUY", "SELL"])
    text = serializers.CharField()


class CandleChartSerializer(serializers.Serializer[Any]):
    """Candles with trades and lines; a candle joins ``bars_per_candle`` bars."""

    candles = CandleSerializer(many=True)
    markers = MarkerSerializer(many=True)
    lines = LineSerializer(many=True)
    bars_per_candle = serializers.IntegerField()
    trades_marked = serializers.BooleanField()


class ComparedFigureSerializer(serializers.Serializer[Any]):
    """One metric of every run; ``best`` holds the places of the best values, if they differ."""

    key = serializers.CharField()
    unit = serializers.ChoiceField([unit.value for unit in Unit])
    better = serializers.ChoiceField([better.value for better in Better])
    values = serializers.ListField(child=serializers.FloatField(allow_null=True))
    best = serializers.ListField(child=serializers.IntegerField())

    def get_fields(self) -> dict[str, Any]:
        """Return the fields with ``label``, which is a name of the library's own."""
        return {**super().get_fields(), "label": serializers.CharField()}


class ComparedSettingSerializer(serializers.Serializer[Any]):
    """One thing that was chosen, for every run; null where a strategy does not know it."""

    name = serializers.CharField()
    title = serializers.CharField()
    unit = serializers.CharField()
    values = serializers.ListField(child=serializers.JSONField(allow_null=True))
    differs = serializers.BooleanField()


class ComparisonSerializer(serializers.Serializer[Any]):
    """Runs side by side; all lists of values are in the order of ``runs``."""

    runs = RunInListSerializer(many=True)
    figures = ComparedFigureSerializer(many=True)
    settings = ComparedSettingSerializer(many=True)
    series = SeriesLineSerializer(many=True, help_text="The return since the start of each run.")
