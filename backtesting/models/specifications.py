"""The columns of whatever is computed from a specification."""

from django.conf import settings
from django.db import models

from foundation.fields import money_field


class StoredSpecification(models.Model):
    """Everything that a result depends on, as it was at the request."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    strategy_version = models.ForeignKey(
        "strategies.StrategyVersion", on_delete=models.PROTECT, related_name="+"
    )
    instrument = models.ForeignKey(
        "exchanges.Instrument", on_delete=models.PROTECT, related_name="+"
    )
    universe = models.JSONField(
        default=list,
        blank=True,
        help_text="Of a run over many markets: each with its rules. The instrument is their first.",
    )
    timeframe = models.CharField(max_length=3)
    from_at = models.DateTimeField()
    to_at = models.DateTimeField()
    parameters = models.JSONField()
    capital = money_field()
    maker_fee_bps = models.DecimalField(max_digits=8, decimal_places=4)
    taker_fee_bps = models.DecimalField(max_digits=8, decimal_places=4)
    slippage_bps = models.DecimalField(max_digits=8, decimal_places=4)
    funding_bps = models.DecimalField(
        max_digits=8,
        decimal_places=4,
        default=0,
        help_text="What holding a long swap costs every eight hours.",
    )
    tick_size = money_field(help_text="The instrument's rules, as they were at the request.")
    lot_step = money_field()
    minimum_quantity = money_field()
    minimum_notional = money_field()
    engine_version = models.CharField(max_length=20)
    data_version = models.CharField(
        max_length=64, help_text="The state of the stored candles at the request."
    )
    spec_hash = models.CharField(max_length=64)

    class Meta:
        abstract = True

    @property
    def symbols(self) -> tuple[str, ...]:
        """What it trades, by symbol."""
        return tuple(each["symbol"] for each in self.universe) or (self.instrument.symbol,)

    @property
    def markets(self) -> str:
        """The venue and the symbols, as a person writes them: ``binance:BTC/USDT,ETH/USDT``."""
        return f"{self.instrument.venue.code}:{','.join(self.symbols)}"

    @property
    def short_market(self) -> str:
        """The symbol, or how many there are."""
        return f"{len(self.symbols)} markets" if self.universe else self.instrument.symbol
