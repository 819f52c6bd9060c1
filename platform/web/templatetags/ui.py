"""The components of every page: ``{% load ui %}``. Numbers become text here and nowhere else.

Numbers (``None`` becomes a dash; every one sits in a span with tabular figures)::

    {% number run.bar_count places=0 %}             1,248
    {% money position.fees "USDT" %}                12.34 USDT
    {% signed_money position.realized_pnl "USDT" %} +12.34 USDT, colored as a gain
    {% percent metrics.win_rate %}                  54.17%      the value is a fraction
    {% signed_percent metrics.total_return %}       -3.12%      colored as a loss
    {% quantity order.quantity "BTC" %}             0.015 BTC
    {% price fill.price tick=instrument.tick_size %} 43,120.50
    {% instant order.submitted_at "seconds" %}      22 Nov 2026, 14:05:09 UTC, in the reader's zone
                                                    (also "datetime", the default; "date"; "time"; "minute")
    {% duration run.elapsed %}                      2 h 5 min   a timedelta or seconds

Pieces::

    {% icon "rocket" %}                             decoration; {% icon "rocket" label="Live" %} speaks
    {% status_badge deployment.actual_state %}      tone by the status; label="…" and tone="…" override
    {% sparkline row.equity label="Equity" %}       a list of numbers, oldest first
    {% progress run.progress label="Bars done" %}   0 to 100; max="…" for another end
    {% empty_state "No backtests yet" "Try a strategy on past candles." icon="history" url=new_url action="New" %}
    {% field form.symbol %}                         label, control, help and errors, tied together for screen readers
    {% filters form "Orders" list_url found=page.paginator.count %}  a form above a list; is_narrowed=… offers to clear it
    {% pagination page %}                           a Django ``Page``; keeps the other query parameters
    {% older_pages older %}                         the same for a list that only grows: *older* names its last row, if more follow
    {% chart "candles" source=url label="BTC/USDT" refresh=5 %}   with {% chart_scripts %} in the block ``scripts``

Blocks around content::

    {% page_header "Backtests" lead="Strategies on past candles." back=list_url back_label="All backtests" %}
      <a class="button" data-variant="primary" href="…">New backtest</a>
    {% endpage_header %}
    {% metric "Net result" note="after fees" %}{% signed_money total "USDT" %}{% endmetric %}
    {% confirm_action "Stop" url=stop_url question="Stop this deployment?" tone="danger" icon="square" %}
      The open position is closed at the market.
    {% endconfirm_action %}

``confirm_action`` is a button that opens a small dialog with a POST form, without JavaScript; put hidden inputs in its
body if the action needs some. Keep it outside of fragments that poll, or the dialog closes with each answer.

Plain classes, for what needs no tag: ``stack`` and ``cluster`` (space between children, downwards and in a line), ``grid``
(equal columns that wrap; ``data-columns="2"``), ``split`` (main column and a narrow one), ``card`` with ``card-header`` and
``card-body``, ``metrics`` (row of metric cards), ``table-wrap`` around ``table`` (``class="numeric"`` on numeric cells;
``data-cards`` turns rows into cards on a phone, with ``data-label`` on each cell), ``facts`` (a ``dl``), ``tabs``
(a ``nav``; ``aria-current="page"``), ``button`` (``data-variant="primary|danger|quiet"``, ``data-size="small"``), ``alert``
(``data-tone="gain|loss|warning|info"``), ``badge``, ``log`` (lines of a log), ``form``, ``form-grid``, ``form-actions``,
``muted``, ``small``, ``numeric``, ``visually-hidden``.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import blake2s
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import lucide
from django import template
from django.contrib.messages.storage.base import Message
from django.core.paginator import Page
from django.forms import BoundField, CheckboxInput, Form
from django.template import Context
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from web import numerals
from web.numerals import ABSENT, Number

register = template.Library()

_TONES: Final = {
    "gain": "RUNNING DONE FILLED OK HEALTHY ACTIVE SUCCEEDED READY LONG BUY",
    "loss": "FAILED REJECTED INVALID DENIED DISABLED ERROR SHORT SELL",
    "warning": "PAUSED DEGRADED UNVERIFIED_PERMISSIONS UNKNOWN STOPPING CANCELING STALE",
    "info": "STARTING QUEUED PENDING SUBMITTING ACCEPTED PARTIALLY_FILLED NEW ORDERED LIVE",
}
_TONE_OF: Final = {status: tone for tone, all_of in _TONES.items() for status in all_of.split()}
_INSTANT_FORMATS: Final = {
    "datetime": "%-d %b %Y, %H:%M",
    "seconds": "%-d %b %Y, %H:%M:%S",
    "minute": "%-d %b, %H:%M",
    "date": "%-d %b %Y",
    "time": "%H:%M:%S",
}
_MESSAGE_TONES: Final = {
    "success": ("gain", "circle-check"),
    "warning": ("warning", "triangle-alert"),
    "error": ("loss", "circle-alert"),
}
_SPARK_WIDTH: Final = 100
_SPARK_HEIGHT: Final = 28
_SPARK_MOST_POINTS: Final = 120


# --- numbers --------------------------------------------------------------------------------------


@register.simple_tag
def number(value: Number | None, unit: str = "", places: int = 2) -> SafeString:
    """Show a plain number with exactly *places* decimals."""
    return _figure(numerals.number_text(value, places=places), unit)


@register.simple_tag
def money(value: Number | None, currency: str = "") -> SafeString:
    """Show an amount of money with its currency."""
    return _figure(numerals.money_text(value, currency=currency), currency)


@register.simple_tag
def signed_money(value: Number | None, currency: str = "") -> SafeString:
    """Show a gain or loss with its sign, color and currency."""
    return _figure(
        numerals.money_text(value, currency=currency, signed=True), currency, colored=True
    )


@register.simple_tag
def percent(value: Number | None, places: int = 2) -> SafeString:
    """Show a fraction as a percentage."""
    return _figure(numerals.percent_text(value, places=places))


@register.simple_tag
def signed_percent(value: Number | None, places: int = 2) -> SafeString:
    """Show a fraction as a percentage with its sign and color."""
    return _figure(numerals.percent_text(value, places=places, signed=True), colored=True)


@register.simple_tag
def quantity(value: Number | None, unit: str = "") -> SafeString:
    """Show a size in base units."""
    return _figure(numerals.quantity_text(value), unit)


@register.simple_tag
def price(value: Number | None, unit: str = "", tick: Number | None = None) -> SafeString:
    """Show a price with the decimals of its *tick*, if that is given."""
    return _figure(numerals.price_text(value, tick=tick), unit)


@register.simple_tag
def duration(value: timedelta | Number | None) -> SafeString:
    """Show a length of time in its two largest units."""
    return _figure(numerals.duration_text(value))


@register.simple_tag(takes_context=True)
def instant(context: Context, value: datetime | None, style: str = "datetime") -> SafeString:
    """Show an instant in the zone of the reader; *style* is a key of the formats above."""
    if not value:
        return mark_safe(ABSENT)  # noqa: S308 (a dash of ours)
    local = value.astimezone(_zone_of(context))
    text = local.strftime(_INSTANT_FORMATS[style])
    if style in {"datetime", "seconds"}:
        text = f"{text} {local.tzname()}"
    exact = value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return format_html(
        '<time class="figure" datetime="{}" title="{}">{}</time>', exact, exact, text
    )


def _figure(text: str, unit: str = "", *, colored: bool = False) -> SafeString:
    tail = (
        format_html('\N{NO-BREAK SPACE}<span class="unit">{}</span>', unit)
        if unit and text != ABSENT
        else ""
    )
    if not colored:
        return format_html('<span class="figure">{}{}</span>', text, tail)
    direction = numerals.direction_of(text)
    return format_html(
        '<span class="figure" data-direction="{}">{}{}</span>', direction, text, tail
    )


def _zone_of(context: Context) -> ZoneInfo:
    request = context.get("request")
    name = getattr(getattr(request, "user", None), "time_zone", None) or "UTC"
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


# --- pieces ---------------------------------------------------------------------------------------


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """Draw an icon of the Lucide set; without a *label* it is decoration."""
    spoken = {"role": "img", "aria-label": label} if label else {"aria-hidden": "true"}
    drawing = lucide._render_icon(name + "", 20, **{"class": "icon", **spoken})  # noqa: SLF001 (its own tags do so)
    return mark_safe(drawing)  # noqa: S308 (ElementTree has escaped it)


@register.simple_tag
def status_badge(status: str | None, label: str = "", tone: str = "") -> SafeString:
    """Show a state as a word in a color; an unknown one is neutral."""
    if not status:
        return mark_safe(ABSENT)  # noqa: S308 (a dash of ours)
    code = str(status)
    words = label or code.replace("_", " ").capitalize()
    return format_html(
        '<span class="badge" data-status="{}" data-tone="{}">{}</span>',
        code,
        tone or _TONE_OF.get(code.upper(), "neutral"),
        words,
    )


@register.simple_tag
def sparkline(values: Sequence[Number | None] | None, label: str = "Trend") -> SafeString:
    """Draw numbers, oldest first, as a small line; fewer than two draw nothing."""
    points = [Decimal(str(value)) for value in values or () if value is not None]
    if len(points) < 2:
        return mark_safe(ABSENT)  # noqa: S308 (a dash of ours)
    points = _thinned(points)
    low, high = min(points), max(points)
    height = high - low or Decimal(1)
    step = Decimal(_SPARK_WIDTH) / (len(points) - 1)
    drawn = " ".join(
        f"{index * step:.1f},{(high - point) / height * (_SPARK_HEIGHT - 4) + 2:.1f}"
        for index, point in enumerate(points)
    )
    change = numerals.direction_of(numerals.number_text(points[-1] - points[0], places=8))
    words = f"{label}: {numerals.quantity_text(points[0])} to {numerals.quantity_text(points[-1])}"
    return format_html(
        '<svg class="sparkline" data-direction="{}" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" '
        'aria-label="{}"><polyline points="{}" vector-effect="non-scaling-stroke"/></svg>',
        change,
        _SPARK_WIDTH,
        _SPARK_HEIGHT,
        words,
        drawn,
    )


def _thinned(points: list[Decimal]) -> list[Decimal]:
    """Keep at most a few points, always with the first and the last."""
    if len(points) <= _SPARK_MOST_POINTS:
        return points
    last = len(points) - 1
    return [points[index * last // (_SPARK_MOST_POINTS - 1)] for index in range(_SPARK_MOST_POINTS)]


@register.filter
def message_tone(message: Message) -> str:
    """Return the tone of a flash message."""
    return _MESSAGE_TONES.get(message.level_tag, ("info", "info"))[0]


@register.filter
def message_icon(message: Message) -> str:
    """Return the icon of a flash message."""
    return _MESSAGE_TONES.get(message.level_tag, ("info", "info"))[1]


@register.simple_tag
def progress(value: Number | None, max: Number = 100, label: str = "Progress") -> SafeString:  # noqa: A002 (HTML's word)
    """Show how far something is; ``None`` is "working, no telling how long"."""
    at = "" if value is None else format_html(' value="{}"', value)
    return format_html('<progress max="{}"{} aria-label="{}"></progress>', max, at, label)


@register.inclusion_tag("components/empty_state.html")
def empty_state(
    title: str, text: str = "", *, icon: str = "inbox", url: str = "", action: str = ""
) -> dict[str, Any]:
    """Say that there is nothing yet, and what to do about it."""
    return {"title": title, "text": text, "icon": icon, "url": url, "action": action}


@register.inclusion_tag("components/filters.html")
def filters(form: Form, label: str, action: str, **told: Any) -> dict[str, Any]:
    """Ask what to list at *action*; *told*: ``is_narrowed``, how many were ``found`` of the ``total``."""
    return {"form": form, "label": label, "action": action, "found": None, "total": None, **told}


@register.inclusion_tag("components/field.html")
def field(bound: BoundField, help: str = "") -> dict[str, Any]:  # noqa: A002 (the form's word)
    """Show a form field with its label, help and errors; Django ties them by ``aria-describedby``."""
    return {
        "field": bound,
        "help": bound.help_text or help,
        "is_checkbox": isinstance(bound.field.widget, CheckboxInput),
    }


@register.inclusion_tag("components/pagination.html", takes_context=True)
def pagination(
    context: Context, page: Page[Any], parameter: str = "page", anchor: str = ""
) -> dict[str, Any]:
    """Link to the neighbors of *page*, keeping the other parameters of the address.

    *anchor* is the id of what the pages are of, for a list in the middle of others.
    """

    def address(page_number: int) -> str:
        query = context["request"].GET.copy()
        query[parameter] = str(page_number)
        return f"?{query.urlencode()}#{anchor}" if anchor else f"?{query.urlencode()}"

    return {
        "page": page,
        "previous": address(page.previous_page_number()) if page.has_previous() else "",
        "next": address(page.next_page_number()) if page.has_next() else "",
    }


@register.inclusion_tag("components/older.html", takes_context=True)
def older_pages(context: Context, older: object) -> dict[str, str]:
    """Link to the rows before the one that *older* names, if any, and back to the newest.

    For lists that are too long to be counted; a view reads the name from the parameter ``before``.
    """
    asked = context["request"].GET

    def address(before: str) -> str:
        query = asked.copy()
        query.pop("before", None)
        if before:
            query["before"] = before
        return f"?{query.urlencode()}"

    return {
        "newest": address("") if asked.get("before") else "",
        "older": address(str(older)) if older else "",
    }


# --- charts ---------------------------------------------------------------------------------------


@register.inclusion_tag("components/chart.html")
def chart(
    kind: str, *, source: str, label: str, refresh: int = 0, size: str = "medium"
) -> dict[str, Any]:
    """Draw *kind* ``candles`` or ``lines`` from the JSON at *source* (formats: ``static/js/charts.js``).

    *refresh* is in seconds, 0 is never; *size* is ``small``, ``medium`` or ``large``. A *source* that begins with ``#``
    is the id of a ``json_script`` on the page.
    """
    if kind not in {"candles", "lines"}:
        raise template.TemplateSyntaxError(f"A chart shows candles or lines, not '{kind}'.")
    return {"kind": kind, "source": source, "label": label, "refresh": refresh, "size": size}


@register.inclusion_tag("components/chart_scripts.html")
def chart_scripts() -> dict[str, Any]:
    """Load what draws charts; once per page, in the block ``scripts``."""
    return {}


# --- blocks ---------------------------------------------------------------------------------------


@register.simple_block_tag
def page_header(
    content: str, title: str, lead: str = "", back: str = "", back_label: str = "Back"
) -> SafeString:
    """Head a page; *content* holds its actions."""
    return render_to_string(
        "components/page_header.html",
        {
            "title": title,
            "lead": lead,
            "back": back,
            "back_label": back_label,
            "actions": mark_safe(content.strip()),  # noqa: S308 (rendered by its own template)
        },
    )


@register.simple_block_tag
def metric(content: str, label: str, note: str = "") -> SafeString:
    """Show one key figure; *content* is the figure."""
    return render_to_string(
        "components/metric.html", {"label": label, "note": note, "figure": content}
    )


@register.simple_block_tag(takes_context=True)
def confirm_action(
    context: Context,
    content: str,
    label: str,
    *,
    url: str,
    question: str,
    tone: str = "primary",
    icon: str = "",
    size: str = "",
) -> SafeString:
    """Ask before a POST to *url*; *content* says what will happen and may hold hidden inputs."""
    name = blake2s(f"{url} {label}".encode(), digest_size=6).hexdigest()
    return render_to_string(
        "components/confirm_action.html",
        {
            "id": f"confirm-{name}",
            "label": label,
            "url": url,
            "question": question,
            "tone": tone,
            "icon": icon,
            "size": size,
            "content": content,
            "csrf_token": context.get("csrf_token"),
        },
    )
