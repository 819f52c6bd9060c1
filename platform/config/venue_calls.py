"""What the environment says about calls to venues."""

from dataclasses import dataclass
from typing import Final, Protocol

VENUE_NAMES: Final = (
    "EGRESS_NAME",
    "VENUE_BUDGET_SHARE",
    "VENUE_PROCESSES",
    "VENUE_CONNECTIONS",
    "VENUE_CLIENTS",
)


class Reader(Protocol):
    """Reads variables and keeps what is wrong with them."""

    def text(self, name: str, default: str | None = None) -> str: ...

    def number(self, name: str, default: float, *, low: float, high: float) -> float: ...


@dataclass(frozen=True, slots=True)
class VenueCalls:
    """How this installation uses what venues allow; see docs/deployment.md."""

    egress_name: str
    budget_share: float
    processes: int
    connections: int
    clients: int

    @classmethod
    def read(cls, reader: Reader) -> "VenueCalls":
        """Return what the variables say, with what is usual for those that are not set."""
        return cls(
            egress_name=reader.text("EGRESS_NAME", "default") or "default",
            budget_share=reader.number("VENUE_BUDGET_SHARE", 0.6, low=0.05, high=1.0),
            processes=int(reader.number("VENUE_PROCESSES", 8, low=1, high=256)),
            connections=int(reader.number("VENUE_CONNECTIONS", 100, low=1, high=1_000)),
            clients=int(reader.number("VENUE_CLIENTS", 500, low=1, high=5_000)),
        )
