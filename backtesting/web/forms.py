"""The forms of backtests; their fields are named as in the problems of the services."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from django import forms
from django.utils import timezone

from backtesting.domain.tags import parse_tags
from backtesting.models import BacktestRun, RunStatus
from backtesting.selectors.runs import RunFilter
from backtesting.services.specifications import DEFAULT_CAPITAL, DEFAULT_SLIPPAGE_BPS
from backtesting.web.coverage import CoverageRow
from market.errors import PlatformError
from strategies.web.parameter_fields import parameter_fields, texts_of

_INSTANT_FORMAT: Final = "%Y-%m-%dT%H:%M"
_ANY: Final = ("", "All")


class UtcInstantField(forms.DateTimeField):
    """An instant that is typed and shown in UTC, whatever zone the reader lives in."""

    def __init__(self, **options: Any) -> None:
        widget = forms.DateTimeInput(
            attrs={"type": "datetime-local", "step": "1"}, format=_INSTANT_FORMAT
        )
        super().__init__(widget=widget, **options)

    def prepare_value(self, value: Any) -> Any:
        """Return what the control shows."""
        return value.astimezone(UTC).replace(tzinfo=None) if _is_aware(value) else value

    def to_python(self, value: Any) -> datetime | None:
        """Return the instant; text without a zone is UTC."""
        try:
            instant = datetime.fromisoformat(value) if isinstance(value, str) else None
        except ValueError:
            instant = None
        if instant is None:
            with timezone.override(UTC):
                return super().to_python(value)
        return instant if _is_aware(instant) else instant.replace(tzinfo=UTC)


class RunForm(forms.Form):
    """Market, window, money and the strategy's own parameters.

    It checks only that values can be read; the service says what is wrong with them.
    """

    market = forms.ChoiceField()
    universe = forms.CharField(
        label="Universe",
        widget=forms.Textarea(attrs={"rows": 4}),
        max_length=4_000,
        help_text="Markets of one venue that share the wallet: binance:BTC/USDT,ETH/USDT. "
        "Name delisted ones too, or the result is too good.",
    )
    timeframe = forms.ChoiceField()
    capital = forms.DecimalField(initial=DEFAULT_CAPITAL, help_text="In the quote currency.")
    fee_bps = forms.DecimalField(
        label="Fee, bps",
        required=False,
        help_text="0.01 % each, for every fill. Empty: the venue's own fees.",
    )
    slippage_bps = forms.DecimalField(
        label="Slippage, bps",
        initial=DEFAULT_SLIPPAGE_BPS,
        help_text="How much worse than the price a market order fills.",
    )
    funding_bps = forms.DecimalField(
        label="Funding, bps",
        required=False,
        help_text="What a long swap pays every eight hours. Empty: none.",
    )

    def __init__(
        self,
        *args: Any,
        schema: Mapping[str, Any],
        coverage: Sequence[CoverageRow],
        looks_at_many: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self._market_name = "universe" if looks_at_many else "market"
        market, timeframe = self.fields["market"], self.fields["timeframe"]
        if isinstance(market, forms.ChoiceField) and isinstance(timeframe, forms.ChoiceField):
            market.choices = list({row.market: row.market_label for row in coverage}.items())
            lengths = {row.timeframe: row.length_ms for row in coverage}
            timeframe.choices = [(each, each) for each in sorted(lengths, key=lengths.__getitem__)]
        del self.fields["market" if looks_at_many else "universe"]
        self.fields["from"] = UtcInstantField(label="From (UTC)")
        self.fields["to"] = UtcInstantField(label="To (UTC)", help_text="Up to this, exclusive.")
        self.fields.update(parameter_fields(schema))

    def market_fields(self) -> list[forms.BoundField]:
        """Return what is traded and when."""
        return [self[name] for name in (self._market_name, "timeframe", "from", "to")]

    def money_fields(self) -> list[forms.BoundField]:
        """Return capital and costs."""
        return [self[name] for name in ("capital", "fee_bps", "slippage_bps", "funding_bps")]

    def strategy_fields(self) -> list[forms.BoundField]:
        """Return the strategy's parameters."""
        return [self[name] for name in self.fields if name.startswith("parameters.")]

    def wish(self) -> dict[str, Any]:
        """Return the cleaned values as the arguments of the service."""
        values = self.cleaned_data
        return {
            self._market_name: values[self._market_name],
            "timeframe": values["timeframe"],
            "from_at": values["from"],
            "to_at": values["to"],
            "parameters": texts_of(values),
            "parameters_are_text": True,
            "capital": values["capital"],
            "fee_bps": values["fee_bps"],
            "slippage_bps": values["slippage_bps"],
            "funding_bps": values["funding_bps"] or Decimal(0),
        }

    def add_problems(self, error: PlatformError) -> None:
        """Put each problem next to its field, or above all of them."""
        if not error.problems:
            self.add_error(None, error.message)
        for problem in error.problems:
            field = problem.field if problem.field in self.fields else None
            self.add_error(field, forms.ValidationError(problem.message, code=problem.code))


class HistoryForm(forms.Form):
    """Which runs to list; a value that is no choice narrows nothing down."""

    strategy = forms.ChoiceField(required=False)
    market = forms.ChoiceField(required=False)
    status = forms.ChoiceField(required=False, choices=[_ANY, *RunStatus.choices])
    tag = forms.ChoiceField(required=False)

    def __init__(
        self,
        *args: Any,
        kinds: Sequence[tuple[str, str, str, str]],
        tags: Sequence[str],
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        choices = {
            "strategy": {slug: name for slug, name, _, _ in kinds},
            "market": {f"{venue}:{symbol}": f"{symbol} · {venue}" for _, _, venue, symbol in kinds},
            "tag": {tag: tag for tag in tags},
        }
        for name, offered in choices.items():
            field = self.fields[name]
            if isinstance(field, forms.ChoiceField):
                field.choices = [_ANY, *offered.items()]

    def wanted(self) -> RunFilter:
        """Return what was asked for and is a choice."""
        self.is_valid()
        return RunFilter(**{name: value for name, value in self.cleaned_data.items() if value})


class AnnotationForm(forms.Form):
    """What a person writes on a run; the service says what is wrong with it."""

    tags = forms.CharField(
        required=False, help_text="A few words to find it again, with commas between them."
    )
    notes = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 5}))

    @classmethod
    def of(cls, run: BacktestRun) -> "AnnotationForm":
        """Return the form with what is written on *run*."""
        return cls(initial={"tags": ", ".join(run.tags), "notes": run.notes})

    def wish(self) -> dict[str, Any]:
        """Return the cleaned values as the arguments of the service."""
        return {
            "tags": parse_tags(self.cleaned_data["tags"]),
            "notes": self.cleaned_data["notes"],
        }

    def add_problems(self, error: PlatformError) -> None:
        """Put each problem next to its field."""
        for problem in error.problems:
            self.add_error(problem.field, forms.ValidationError(problem.message, code=problem.code))


def _is_aware(value: Any) -> bool:
    return isinstance(value, datetime) and value.tzinfo is not None
