"""What stands still on a deployment's page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from django.urls import reverse

from market.timeframes import MINUTE_MS, Timeframe
from strategies import parameters
from trading.models import Deployment, DeploymentRevision
from trading.selectors import holdings
from trading.selectors.deployments import revision_of
from trading.web import presenters

_LIVE_STOPS: Final = (
    "The stop rests at the exchange as a STOP_LOSS order, so it works even when this platform is not "
    "running. The target is watched by the platform at each closed bar, and then the position is "
    "closed at the market. Stop and target follow the quantity that was really filled."
)
_PAPER_STOPS: Final = (
    "Nothing is sent to an exchange. Stop and target are matched against each closed bar, with the "
    "same rules as in a backtest: if a bar reaches both, the stop counts."
)
_FAST_REFRESH_S: Final = 2
_SLOW_REFRESH_S: Final = 15


@dataclass(frozen=True, slots=True)
class Setting:
    """One parameter as it is set."""

    title: str
    value: Any  # of whatever type the parameter is
    unit: str


@dataclass(frozen=True, slots=True)
class DeploymentPage:
    """The page of a deployment without its moving parts."""

    public_id: UUID
    name: str
    lead: str
    account: str
    account_id: UUID
    is_unverified: bool
    capital: Decimal
    currency: str
    symbol: str
    timeframe: str
    strategy: str
    strategy_slug: str
    strategy_version: int
    settings: Sequence[Setting]
    revision: int
    revision_from: datetime | None
    stop_policy: str
    stop_note: str
    created_at: datetime
    stopped_at: datetime | None
    chart_url: str
    chart_label: str
    chart_refresh_s: int


def present_page(deployment: Deployment, *, symbol: str = "") -> DeploymentPage:
    """Return the page of *deployment*; of a universe with the chart of *symbol*, if that is in it."""
    account, version = deployment.account, deployment.strategy_version
    traded = holdings.instruments_of(deployment)
    instrument = next((each for each in traded if each.symbol == symbol), traded[0])
    symbol, market = instrument.symbol, holdings.market_of(deployment)
    strategy = version.strategy.name
    revision = revision_of(deployment)
    return DeploymentPage(
        public_id=deployment.public_id,
        name=deployment.name,
        lead=f"{strategy} on {market}, {deployment.timeframe} bars, account {account.label}.",
        account=account.label,
        account_id=account.public_id,
        is_unverified=account.is_unverified,
        capital=deployment.capital,
        currency=instrument.settle,
        symbol=symbol,
        timeframe=deployment.timeframe,
        strategy=strategy,
        strategy_slug=version.strategy.slug,
        strategy_version=version.number,
        settings=_settings(deployment, revision),
        revision=revision.number,
        revision_from=revision.from_bar_at if revision.to_bar_at is None else None,
        stop_policy=deployment.get_stop_policy_display(),
        stop_note=_PAPER_STOPS if account.kind == "PAPER" else _LIVE_STOPS,
        created_at=deployment.created_at,
        stopped_at=deployment.stopped_at,
        chart_url=_chart_url(deployment, symbol),
        chart_label=f"{symbol} with the fills of {deployment.name}",
        chart_refresh_s=_refresh_s(deployment),
    )


def _chart_url(deployment: Deployment, symbol: str) -> str:
    url = reverse("trading:chart", args=[deployment.public_id])
    return f"{url}?{urlencode({'symbol': symbol})}"


def _settings(deployment: Deployment, revision: DeploymentRevision) -> list[Setting]:
    values = revision.parameters
    schema = deployment.strategy_version.parameters_schema
    return [
        Setting(info.title, info.shown(values.get(info.name, info.default)), info.unit)
        for info in parameters.describe(schema)
    ]


def _refresh_s(deployment: Deployment) -> int:
    """Return how often the chart asks for data; never once the deployment has ended."""
    if deployment.actual_state in presenters.ENDED:
        return 0
    is_fast = Timeframe(deployment.timeframe).milliseconds <= MINUTE_MS
    return _FAST_REFRESH_S if is_fast else _SLOW_REFRESH_S
