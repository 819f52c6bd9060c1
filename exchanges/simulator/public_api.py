"""Market data: the endpoints that need no key."""

import json
from collections.abc import Callable, Sequence

from exchanges.simulator import candles, errors
from exchanges.simulator.exchange import Exchange, Market
from exchanges.simulator.instruments import present_number
from exchanges.simulator.prices import SAMPLE_MS
from exchanges.simulator.requests import Answer, Request, Routes
from market.timeframes import Timeframe


class PublicApi:
    """Answers about prices, all of them computed from the timelines at the time of the request."""

    def __init__(self, exchange: Exchange, *, weight_limit: int) -> None:
        self._exchange = exchange
        self._weight_limit = weight_limit

    def routes(self) -> Routes:
        """Return the handlers by method and path."""
        return {
            ("GET", "/api/v3/ping"): self.ping,
            ("GET", "/api/v3/time"): self.time,
            ("GET", "/api/v3/exchangeInfo"): self.exchange_info,
            ("GET", "/api/v3/klines"): self.klines,
            ("GET", "/api/v3/depth"): self.depth,
            ("GET", "/api/v3/ticker/price"): self.ticker_price,
            ("GET", "/api/v3/ticker/bookTicker"): self.ticker_book,
            ("GET", "/api/v3/ticker/24hr"): self.ticker_day,
            ("GET", "/sapi/v1/system/status"): self.status,
        }

    def ping(self, request: Request) -> Answer:
        """Say that the exchange is there."""
        return Answer.of({})

    def status(self, request: Request) -> Answer:
        """Say whether the exchange works or is being repaired."""
        if request.mishaps.under_maintenance:
            return Answer.of({"status": 1, "msg": "system_maintenance"})
        return Answer.of({"status": 0, "msg": "normal"})

    def time(self, request: Request) -> Answer:
        """Say what time it is."""
        return Answer.of({"serverTime": request.venue_ms})

    def exchange_info(self, request: Request) -> Answer:
        """List the markets with their filters."""
        markets, _ = self._asked_for(request)
        limits = [
            {
                "rateLimitType": "REQUEST_WEIGHT",
                "interval": "MINUTE",
                "intervalNum": 1,
                "limit": self._weight_limit,
            }
        ]
        return Answer.of(
            {
                "timezone": "UTC",
                "serverTime": request.venue_ms,
                "rateLimits": limits,
                "exchangeFilters": [],
                "symbols": [market.instrument.present() for market in markets],
            }
        )

    def klines(self, request: Request) -> Answer:
        """List candles of a market; the last one may still be forming."""
        parameters = request.parameters
        market = self._exchange.market(parameters.get_symbol())
        try:
            timeframe = Timeframe(parameters.get("interval"))
        except ValueError:
            raise errors.invalid_interval() from None
        window = candles.Window(
            from_ms=parameters.find_integer("startTime"),
            to_ms=parameters.find_integer("endTime"),
            limit=parameters.limit(default=500, largest=1_000),
        )
        return Answer.of(candles.candles(market, timeframe, window, now_ms=request.now_ms))

    def depth(self, request: Request) -> Answer:
        """Show a book of five steps on either side of the price, enough for display."""
        market = self._exchange.market(request.parameters.get_symbol())
        instrument = market.instrument
        ticks = market.timeline.ticks_at(request.now_ms // SAMPLE_MS)

        def level(price_ticks: int) -> list[str]:
            return [present_number(instrument.price_of(price_ticks)), "1.00000000"]

        return Answer.of(
            {
                "lastUpdateId": request.now_ms // SAMPLE_MS,
                "bids": [level(ticks - step) for step in range(1, 6) if ticks > step],
                "asks": [level(ticks + step) for step in range(1, 6)],
            }
        )

    def ticker_price(self, request: Request) -> Answer:
        """Tell the price of one market or of several."""

        def present(market: Market) -> dict[str, object]:
            symbol = market.instrument.symbol
            price = self._exchange.price(symbol, now_ms=request.now_ms)
            return {"symbol": symbol, "price": present_number(price)}

        return self._answer_each(request, present)

    def ticker_book(self, request: Request) -> Answer:
        """Tell the best bid and ask, one tick on either side of the price."""

        def present(market: Market) -> dict[str, object]:
            symbol, tick = market.instrument.symbol, market.instrument.tick
            price = self._exchange.price(symbol, now_ms=request.now_ms)
            return {
                "symbol": symbol,
                "bidPrice": present_number(max(price - tick, tick)),
                "bidQty": "1.00000000",
                "askPrice": present_number(price + tick),
                "askQty": "1.00000000",
            }

        return self._answer_each(request, present)

    def ticker_day(self, request: Request) -> Answer:
        """Tell the statistics of the last 24 hours."""

        def present(market: Market) -> dict[str, object]:
            return candles.day_statistics(market, now_ms=request.now_ms)

        return self._answer_each(request, present)

    def _answer_each(
        self, request: Request, present: Callable[[Market], dict[str, object]]
    ) -> Answer:
        markets, is_single = self._asked_for(request)
        entries = [present(market) for market in markets]
        return Answer.of(entries[0] if is_single else entries)

    def _asked_for(self, request: Request) -> tuple[Sequence[Market], bool]:
        """Return the markets that ``symbol`` or ``symbols`` name, else all; and if it is one."""
        parameters = request.parameters
        if "symbol" in parameters and "symbols" in parameters:
            raise errors.bad_combination()
        if "symbol" in parameters:
            return [self._exchange.market(parameters.get_symbol())], True
        if "symbols" not in parameters:
            return list(self._exchange.markets.values()), False
        try:
            names = json.loads(parameters.get("symbols"))
        except ValueError:
            names = None
        if not isinstance(names, list) or not names:
            raise errors.illegal_characters("symbols", '^\\["[A-Z0-9]+"(,"[A-Z0-9]+")*\\]$')
        return [self._exchange.market(str(name)) for name in names], False
