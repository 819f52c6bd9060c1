"""A page with every component in every state, so that each is looked at even where no page of ours shows it yet."""

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import RequestContext, Template
from django.urls import include, path

HERE = Path(__file__).parent
START = datetime(2026, 1, 1, tzinfo=UTC)
STATUSES = ("RUNNING", "QUEUED", "PAUSED", "FAILED", "STOPPED", "PARTIALLY_FILLED", "UNKNOWN")


class ShowcaseForm(forms.Form):
    """One field of each kind; made with bad data, so that errors show."""

    market = forms.CharField(help_text="Such as binance:BTC/USDT.")
    timeframe = forms.ChoiceField(choices=[("1h", "1 hour"), ("4h", "4 hours")])
    capital = forms.DecimalField(min_value=1, help_text="In the quote currency.")
    from_on = forms.DateField(label="From", widget=forms.DateInput(attrs={"type": "date"}))
    note = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 3}))
    long_only = forms.BooleanField(required=False, label="Only long positions")


def showcase(request: HttpRequest) -> HttpResponse:
    """Show all components."""
    for level in (messages.SUCCESS, messages.WARNING, messages.ERROR, messages.INFO):
        messages.add_message(request, level, "Something happened, and this is what you can do.")
    context = {
        "form": ShowcaseForm(data={"capital": "-3", "timeframe": "1h"}),
        "statuses": STATUSES,
        "rows": _rows(),
        "page": Paginator(range(200), 10).page(3),
        "at": START,
        "elapsed": timedelta(hours=2, minutes=5),
        "gain": Decimal("1234.56"),
        "loss": Decimal("-0.0312"),
        "wave": [round(100 + 10 * math.sin(index / 5) + index / 4, 2) for index in range(60)],
    }
    return _render(request, "showcase.html", context)


def empty(request: HttpRequest) -> HttpResponse:
    """Show what there is to see when there is nothing."""
    return _render(request, "showcase_empty.html", {})


def candles(request: HttpRequest) -> JsonResponse:
    """Return a made-up market with two trades and an average."""
    bars = []
    for index in range(160):
        middle = 43_000 + 900 * math.sin(index / 13) + 4 * index
        opened, closed = middle - 60 * math.cos(index), middle + 60 * math.cos(index)
        bars.append(
            {
                "time": int(START.timestamp()) + index * 14_400,
                "open": f"{opened:.2f}",
                "high": f"{max(opened, closed) + 45:.2f}",
                "low": f"{min(opened, closed) - 45:.2f}",
                "close": f"{closed:.2f}",
            }
        )
    return JsonResponse(
        {
            "candles": bars,
            "markers": [
                {"time": bars[70]["time"], "side": "BUY", "text": "Buy"},
                {"time": bars[108]["time"], "side": "SELL", "text": "Sell"},
            ],
            "lines": [
                {
                    "name": "EMA 10",
                    "pane": "",
                    "points": [{"time": b["time"], "value": b["open"]} for b in bars[10:]],
                },
                {
                    "name": "RSI 14",
                    "pane": "RSI",
                    # The line breaks in its middle.
                    "points": [
                        {
                            "time": bar["time"],
                            "value": None if index == 60 else 50 + 20 * math.sin(index / 7),
                        }
                        for index, bar in enumerate(bars)
                        if not 60 < index < 75
                    ],
                },
            ],
        }
    )


def lines(request: HttpRequest) -> JsonResponse:
    """Return a made-up equity curve against buy-and-hold."""
    times = [int(START.timestamp()) + index * 86_400 for index in range(120)]
    equity = [10_000 + 12 * i + 300 * math.sin(i / 9) for i in range(120)]
    held = [10_000 + 6 * i + 900 * math.sin(i / 11) for i in range(120)]
    return JsonResponse(
        {
            "series": [
                {"name": "Equity", "kind": "equity", "points": _points(times, equity)},
                {"name": "Buy and hold", "kind": "benchmark", "points": _points(times, held)},
            ]
        }
    )


def drawdown(request: HttpRequest) -> JsonResponse:
    """Return a made-up drawdown, as fractions."""
    times = [int(START.timestamp()) + index * 86_400 for index in range(120)]
    falls = [-abs(math.sin(index / 15)) * 0.12 for index in range(120)]
    return JsonResponse(
        {"series": [{"name": "Drawdown", "kind": "drawdown", "points": _points(times, falls)}]}
    )


def bug(request: HttpRequest) -> HttpResponse:
    """Fail as a bug would."""
    raise ValueError("secret detail")


def _points(times: list[int], values: list[float]) -> list[dict[str, float]]:
    return [{"time": t, "value": v} for t, v in zip(times, values, strict=True)]


def _rows() -> list[dict[str, object]]:
    return [
        {
            "name": f"EMA crossover {index}",
            "market": "BTC/USDT",
            "status": STATUSES[index % len(STATUSES)],
            "result": Decimal("312.5") * (index - 2),
            "share": Decimal("0.0213") * (index - 2),
            "quantity": Decimal("0.015") * (index + 1),
            "price": Decimal("43120.5"),
            "wave": [math.sin(step / 3 + index) * 5 + step * (index - 2) / 6 for step in range(40)],
            "at": START + timedelta(minutes=index),
        }
        for index in range(5)
    ]


def _render(request: HttpRequest, name: str, context: dict[str, object]) -> HttpResponse:
    source = (HERE / "templates" / name).read_text(encoding="utf-8")
    return HttpResponse(Template(source).render(RequestContext(request, context)))


urlpatterns = [
    path("showcase/", showcase),
    path("showcase/empty/", empty),
    path("showcase/candles.json", candles, name="showcase-candles"),
    path("showcase/lines.json", lines, name="showcase-lines"),
    path("showcase/drawdown.json", drawdown, name="showcase-drawdown"),
    path("showcase/none.json", lambda request: JsonResponse({"candles": []}), name="showcase-none"),
    path("showcase/bug/", login_not_required(bug)),
    path("", include("config.urls")),
]
handler500 = "web.views.errors.server_error"
handler404 = "web.views.errors.not_found"
