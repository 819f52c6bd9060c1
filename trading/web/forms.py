"""The form of a new deployment; its fields are named as in the problems of the service."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from django import forms

from market.errors import PlatformError
from market.timeframes import Timeframe
from strategies.web.parameter_fields import PREFIX, parameter_fields, texts_of
from trading.domain.protections import Limits
from trading.models import StopPolicy
from trading.services.terms import PROTECTIONS
from trading.web import presenters
from trading.web.limit_fields import limit_fields, limits_of

if TYPE_CHECKING:
    from exchanges.models import ExchangeAccount, Instrument

#: The longest bars that a deployment waits for.
_LONGEST: Final = Timeframe.D1

_TIMEFRAMES: Final = [
    (each.value, each.value) for each in Timeframe if each.milliseconds <= _LONGEST.milliseconds
]

#: Where the service's refusals belong that name no field.
_FIELD_OF_CODE: Final[Mapping[str, str]] = {
    "instrument_taken": "market",
    "account_not_ready": "account",
    "capital_too_small": "capital",
}


class AccountSelect(forms.Select):
    """A choice of accounts that tells the page's script at which venue each one is."""

    def __init__(self) -> None:
        super().__init__()
        self.venues: Mapping[str, str] = {}

    def create_option(self, name: str, value: Any, *args: Any, **options: Any) -> dict[str, Any]:
        """Return the option with the name of its venue, which heads the group of its markets."""
        option = super().create_option(name, value, *args, **options)
        option["attrs"]["data-venue"] = self.venues.get(str(value), "")
        return option


class DeploymentForm(forms.Form):
    """Name, account, market, money and the strategy's own parameters.

    It checks only what the choices on the page decide; the service says what is wrong otherwise.
    """

    #: Made with the form, so that sending it twice deploys once.
    request_key = forms.CharField(
        max_length=100, required=False, widget=forms.HiddenInput, initial=uuid4
    )
    name = forms.CharField(max_length=80)
    account = forms.ChoiceField(widget=AccountSelect, help_text="Orders go out on it.")
    market = forms.ChoiceField()
    universe = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 4}),
        max_length=4_000,
        help_text="Markets of the account's exchange that share the wallet, such as "
        "binance:BTC/USDT,ETH/USDT. They stay the same from the start on.",
    )
    timeframe = forms.ChoiceField(
        choices=_TIMEFRAMES, help_text="It decides at the close of each bar of this length."
    )
    capital = forms.DecimalField(
        initial="1000",
        max_digits=38,
        decimal_places=18,
        widget=forms.NumberInput(attrs={"step": "any"}),
        help_text="What it may use, in the market's quote currency.",
    )
    stop_policy = forms.ChoiceField(
        label="When it stops", choices=StopPolicy, initial=StopPolicy.FLATTEN
    )

    def __init__(
        self,
        *args: Any,
        schema: Mapping[str, Any],
        accounts: Sequence["ExchangeAccount"],
        instruments: Iterable["Instrument"],
        looks_at_many: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self._accounts = {str(account.public_id): account for account in accounts}
        self._set_choices("account", [(key, _words(each)) for key, each in self._accounts.items()])
        widget = self.fields["account"].widget
        if isinstance(widget, AccountSelect):
            widget.venues = {key: each.venue.name for key, each in self._accounts.items()}
        self._set_choices("market", _grouped(instruments, accounts))
        self._market_name = "universe" if looks_at_many else "market"
        del self.fields["market" if looks_at_many else "universe"]
        if any(_moves_real_money(account) for account in accounts):
            self.fields["accept_risk"] = forms.BooleanField(
                required=False,
                label="I know that this trades real money and that I may lose it.",
                help_text="Needed for accounts with the badge Live.",
            )
        self.fields.update(parameter_fields(schema))
        self.fields.update(limit_fields(Limits()))

    def clean(self) -> dict[str, Any]:
        """Check what depends on the account that was chosen."""
        values: dict[str, Any] = super().clean() or {}
        account = self._accounts.get(values.get("account", ""))
        market = values.get("market", "")
        if account is not None and market:
            venue, _, symbol = market.partition(":")
            if venue != account.venue.code:
                self.add_error("market", f"{symbol} here is not on {account.venue.name}.")
        if account is not None and _moves_real_money(account) and not values.get("accept_risk"):
            self.add_error(
                "accept_risk",
                forms.ValidationError("Tick this to trade real money.", code="required"),
            )
        return values

    def wish(self) -> dict[str, Any]:
        """Return the cleaned values as the arguments of the service."""
        values = self.cleaned_data
        return {
            "request_key": values["request_key"],
            "name": values["name"],
            "account_public_id": self._accounts[values["account"]].public_id,
            "symbol": values.get("market", "").partition(":")[2],
            "universe": values.get("universe", ""),
            "timeframe": values["timeframe"],
            "parameters": texts_of(values),
            "parameters_are_text": True,
            "capital": values["capital"],
            "stop_policy": values["stop_policy"],
            "protections": limits_of(values),
            "starts": "draft" not in self.data,
        }

    def add_problems(self, error: PlatformError) -> None:
        """Put each problem next to its field, or above all of them."""
        if not error.problems:
            self._add(_FIELD_OF_CODE.get(error.code), error.message, error.code)
        for problem in error.problems:
            name = "market" if problem.field == "symbol" else problem.field
            names = (name, f"{PREFIX}{name}")
            field = next((each for each in names if each in self.fields), None)
            self._add(field, problem.message, problem.code)

    def terms_fields(self) -> list[forms.BoundField]:
        """Return what is traded, where and with how much."""
        names = ("name", "account", self._market_name, "timeframe", "capital", "stop_policy")
        return [self[name] for name in names]

    def strategy_fields(self) -> list[forms.BoundField]:
        """Return the strategy's parameters."""
        return [self[name] for name in self.fields if name.startswith(PREFIX)]

    def limit_fields(self) -> list[forms.BoundField]:
        """Return the limits of this deployment alone."""
        return [self[name] for name in self.fields if name.startswith(PROTECTIONS)]

    @property
    def has_limits(self) -> bool:
        """Whether any limit is set, or wrong, so that they should be seen."""
        return any(bound.value() or bound.errors for bound in self.limit_fields())

    def risk_fields(self) -> list[forms.BoundField]:
        """Return what has to be acknowledged, if anything."""
        return [self["accept_risk"]] if "accept_risk" in self.fields else []

    def _add(self, field: str | None, message: str, code: str) -> None:
        self.add_error(field, forms.ValidationError(message, code=code))

    def _set_choices(self, name: str, choices: list[Any]) -> None:
        field = self.fields[name]
        if isinstance(field, forms.ChoiceField):
            field.choices = choices


def _moves_real_money(account: "ExchangeAccount") -> bool:
    return presenters.account_badge(account).code == "LIVE"


def _words(account: "ExchangeAccount") -> str:
    badge = presenters.account_badge(account).label
    mark = ", permissions unverified" if account.is_unverified else ""
    return f"{account.label} ({account.venue.name}, {badge.lower()}{mark})"


def _grouped(
    instruments: Iterable["Instrument"], accounts: Sequence["ExchangeAccount"]
) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the markets of the venues where the person has accounts, under the venue's name."""
    venues = {account.venue_id for account in accounts}
    groups: dict[str, list[tuple[str, str]]] = {}
    for instrument in instruments:
        if instrument.venue_id in venues:
            choice = (f"{instrument.venue.code}:{instrument.symbol}", instrument.symbol)
            groups.setdefault(instrument.venue.name, []).append(choice)
    return list(groups.items())
