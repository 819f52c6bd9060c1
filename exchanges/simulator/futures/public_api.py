"""Market data of the futures: the endpoints that need no key."""

from collections.abc import Callable, Sequence
from typing import Final

from exchanges.simulator import candles, errors
from exchanges.simulator.futures.contracts import Contract
from exchanges.simulator.futures.desk import FuturesExchange
from exchanges.simulator.futures.presenting import present_contract
from exchanges.simulator.instruments import present_number
from exchanges.simulator.recordings import sample_of
from exchanges.simulator.requests import Answer, Request, Routes
from market.timeframes import Timeframe

_MOST_CANDLES: Final = 1_500
_MOST_FUNDINGS: Final = 1_000
#: When every contract began, for those who ask: 2019-09-08, as the first one of the real venue.
_LISTED_MS: Final = 1_567_900_800_000


class FuturesPublicApi:
    """Answers about contracts and their prices at the time of the request."""

    def __init__(self, exchange: FuturesExchange, *, weight_limit: int) -> None:
        self._exchange = exchange
        self._contracts = exchange.contracts
        self._weight_limit = weight_limit

    def routes(self) -> Routes:
        """Return the handlers by method and path."""
        return {
            ("GET", "/fapi/v1/ping"): self.ping,
            ("GET", "/fapi/v1/time"): self.time,
            ("GET", "/fapi/v1/exchangeInfo"): self.exchange_info,
            ("GET", "/fapi/v1/klines"): self.klines,
            ("GET", "/fapi/v1/ticker/price"): self.ticker_price,
            ("GET", "/fapi/v2/ticker/price"): self.ticker_price,
            ("GET", "/fapi/v1/ticker/bookTicker"): self.ticker_book,
            ("GET", "/fapi/v1/ticker/24hr"): self.ticker_day,
            ("GET", "/fapi/v1/premiumIndex"): self.premium_index,
            ("GET", "/fapi/v1/fundingRate"): self.funding_rate,
            ("GET", "/fapi/v1/fundingInfo"): self.funding_info,
        }

    def ping(self, request: Request) -> Answer:
        """Say that the exchange is there."""
        return Answer.of({})

    def time(self, request: Request) -> Answer:
        """Say what time it is."""
        return Answer.of({"serverTime": request.venue_ms})

    def exchange_info(self, request: Request) -> Answer:
        """List the contracts with their filters."""
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
                "futuresType": "U_MARGINED",
                "rateLimits": limits,
                "exchangeFilters": [],
                "assets": [{"asset": "USDT", "marginAvailable": True, "autoAssetExchange": "0"}],
                "symbols": [
                    present_contract(contract, listed_ms=_LISTED_MS)
                    for contract in self._contracts.all()
                ],
            }
        )

    def klines(self, request: Request) -> Answer:
        """List candles of a contract; the last one may still be forming."""
        parameters = request.parameters
        contract = self._contracts.get(parameters.get_symbol())
        try:
            timeframe = Timeframe(parameters.get("interval"))
        except ValueError:
            raise errors.invalid_interval() from None
        window = candles.Window(
            from_ms=parameters.find_integer("startTime"),
            to_ms=parameters.find_integer("endTime"),
            limit=parameters.limit(default=500, largest=_MOST_CANDLES),
        )
        return Answer.of(candles.candles(contract.market, timeframe, window, now_ms=request.now_ms))

    def ticker_price(self, request: Request) -> Answer:
        """Tell the price of one contract or of all."""

        def present(contract: Contract) -> dict[str, object]:
            price = contract.price_at(sample_of(request.now_ms))
            symbol = contract.symbol
            return {"symbol": symbol, "price": present_number(price), "time": request.venue_ms}

        return self._answer_each(request, present)

    def ticker_book(self, request: Request) -> Answer:
        """Tell the best bid and ask, one tick on either side of the price."""

        def present(contract: Contract) -> dict[str, object]:
            price, tick = contract.price_at(sample_of(request.now_ms)), contract.instrument.tick
            return {
                "symbol": contract.symbol,
                "bidPrice": present_number(max(price - tick, tick)),
                "bidQty": "1.000",
                "askPrice": present_number(price + tick),
                "askQty": "1.000",
                "time": request.venue_ms,
            }

        return self._answer_each(request, present)

    def ticker_day(self, request: Request) -> Answer:
        """Tell the statistics of the last 24 hours; bids and asks are not among them here."""

        def present(contract: Contract) -> dict[str, object]:
            day = candles.day_statistics(contract.market, now_ms=request.now_ms)
            spot_only = {"prevClosePrice", "bidPrice", "bidQty", "askPrice", "askQty"}
            return {name: value for name, value in day.items() if name not in spot_only}

        return self._answer_each(request, present)

    def premium_index(self, request: Request) -> Answer:
        """Tell mark price, index price and the funding that comes next."""

        def present(contract: Contract) -> dict[str, object]:
            sample = sample_of(request.now_ms)
            next_ms = self._contracts.next_funding_ms(request.now_ms)
            rate = self._contracts.rate_at(contract.symbol, next_ms)
            return {
                "symbol": contract.symbol,
                "markPrice": present_number(contract.mark_at(sample)),
                "indexPrice": present_number(contract.price_at(sample)),
                "estimatedSettlePrice": present_number(contract.mark_at(sample)),
                "lastFundingRate": present_number(rate),
                "interestRate": "0.00010000",
                "nextFundingTime": next_ms,
                "time": request.venue_ms,
            }

        return self._answer_each(request, present)

    def funding_rate(self, request: Request) -> Answer:
        """List the fundings of a contract, oldest first."""
        parameters = request.parameters
        contract = self._contracts.get(parameters.get_symbol())
        step = self._contracts.funding_ms
        limit = parameters.limit(default=100, largest=_MOST_FUNDINGS)
        until_ms = min(parameters.find_integer("endTime") or request.now_ms, request.now_ms)
        newest_ms = until_ms // step * step
        from_ms = parameters.find_integer("startTime")
        latest_ms = newest_ms - (limit - 1) * step
        first_ms = latest_ms if from_ms is None else -(-from_ms // step) * step
        times = range(first_ms, newest_ms + 1, step)[:limit]
        return Answer.of([self._present_funding(contract, at_ms) for at_ms in times])

    def funding_info(self, request: Request) -> Answer:
        """Tell how often funding is paid."""
        hours = max(self._contracts.funding_ms // 3_600_000, 1)
        return Answer.of(
            [
                {
                    "symbol": contract.symbol,
                    "adjustedFundingRateCap": "0.02000000",
                    "adjustedFundingRateFloor": "-0.02000000",
                    "fundingIntervalHours": hours,
                }
                for contract in self._contracts.all()
            ]
        )

    def _present_funding(self, contract: Contract, at_ms: int) -> dict[str, object]:
        return {
            "symbol": contract.symbol,
            "fundingTime": at_ms,
            "fundingRate": present_number(self._contracts.rate_at(contract.symbol, at_ms)),
            "markPrice": present_number(contract.mark_at(sample_of(at_ms))),
        }

    def _answer_each(
        self, request: Request, present: Callable[[Contract], dict[str, object]]
    ) -> Answer:
        if "symbol" in request.parameters:
            return Answer.of(present(self._contracts.get(request.parameters.get_symbol())))
        contracts: Sequence[Contract] = self._contracts.all()
        return Answer.of([present(contract) for contract in contracts])
