"""What the page on protections shows, and the banner above every page."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from trading.models import ReleaseRule, RestrictionState, TradingRestriction
from trading.selectors import restrictions as selectors
from trading.selectors.limits import LimitedTarget
from trading.services.limits import LIMITS


@dataclass(frozen=True, slots=True)
class RestrictionView:
    """One restriction in words."""

    public_id: UUID
    name: str
    state: str
    tone: str
    meaning: str
    cause: str
    reason: str
    since_at: datetime
    until_at: datetime | None
    ended_at: datetime | None
    ends: str
    release_url: str


@dataclass(frozen=True, slots=True)
class LimitedView:
    """What is limited, and how."""

    name: str
    address: str
    limits: Sequence[str]


@dataclass(frozen=True, slots=True)
class Banner:
    """What is told above every page while something of the reader's trades less."""

    text: str
    tone: str
    url: str


def present_restriction(
    row: TradingRestriction, *, owner_id: int | None, now: datetime
) -> RestrictionView:
    """Return *row* as its reader sees it."""
    is_over = row.released_at is not None or (row.until_at is not None and row.until_at <= now)
    may_end = row.owner_id == owner_id and row.release_rule == ReleaseRule.OWNER
    halted = row.state == RestrictionState.HALTED
    return RestrictionView(
        public_id=row.public_id,
        name=row.target_name,
        state="Halted" if halted else "Reducing",
        tone="loss" if halted else "warning",
        meaning="Stops and cancellations only" if halted else "Exits and cancellations only",
        cause=row.get_cause_display(),
        reason=row.reason,
        since_at=row.since_at,
        until_at=row.until_at,
        ended_at=row.released_at or (row.until_at if is_over else None),
        ends=row.get_release_rule_display(),
        release_url=""
        if is_over or not may_end
        else reverse("trading:release", args=[row.public_id]),
    )


def present_limited(target: LimitedTarget) -> LimitedView:
    """Return the limits that are set, each in a few words."""
    shown = []
    for info in LIMITS:
        value = getattr(target.limits, info.name)
        if value is not None:
            number = str(value) if info.is_whole else f"{value.normalize():f}"
            shown.append(f"{info.title}: {number} {info.unit}")
    return LimitedView(target.name, "", shown)


def trading_state_context(request: HttpRequest) -> dict[str, object]:
    """Let every page tell that something of the reader's trades less (a context processor)."""
    return {"trading_banner": SimpleLazyObject(_banner_of(request))}


def _banner_of(request: HttpRequest) -> Callable[[], Banner | None]:
    def banner() -> Banner | None:
        if not getattr(request, "user", None) or not request.user.is_authenticated:
            return None
        rows = selectors.concerning(request.user, now=timezone.now())
        by_file = selectors.is_halted_by_file()
        if not rows and not by_file:
            return None
        halted = by_file or rows[0].state == RestrictionState.HALTED
        name = "The platform" if by_file else rows[0].target_name
        more = len(rows) - 1
        text = f"{name}: {'trading is halted.' if halted else 'exits only.'}"
        if more > 0:
            text += f" {more} more {'restriction' if more == 1 else 'restrictions'}."
        return Banner(text, "warning", reverse("trading:protections"))

    return banner
