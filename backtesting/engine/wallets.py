"""What a run over many markets carries from bar to bar."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from strategies.state import PositionState


class WalletState(NamedTuple):
    """Everything that the next bar's decisions know of the markets of one wallet, in their order.

    ``markets`` are their positions, whose cash begins at 0 and counts what each has gained or lost;
    ``wanted`` is the score with which an entry that waits was made, ``closes`` the last close known,
    0 before the first one.
    """

    markets: tuple[PositionState, ...]
    wanted: tuple[float, ...]
    closes: tuple[float, ...]

    @classmethod
    def fresh(cls, capital: float, markets: int) -> Self:
        """Return the state of a run that has not traded any of its *markets*."""
        one = PositionState.fresh(capital)._replace(cash=0.0)
        nothing = (0.0,) * markets
        return cls((one,) * markets, nothing, nothing)

    def to_json(self) -> dict[str, Any]:
        """Return plain values that survive JSON bit for bit."""
        return {
            "markets": [market.to_json() for market in self.markets],
            "wanted": list(self.wanted),
            "closes": list(self.closes),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what ``to_json`` wrote; raise ValueError for positions of another version."""
        return cls(
            tuple(PositionState.from_json(market) for market in data["markets"]),
            tuple(data["wanted"]),
            tuple(data["closes"]),
        )
