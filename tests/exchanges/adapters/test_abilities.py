"""What each exchange can do is written down once, in its pack; the guide repeats it."""

from pathlib import Path

import pytest

from exchanges.adapters.abilities import abilities_of
from exchanges.adapters.packs import offered_packs
from exchanges.adapters.packs.base import VenuePack
from exchanges.adapters.packs.dialect import Dialect
from exchanges.models import Venue
from market.enums import OrderType

GUIDE = Path("docs/howto/add-an-exchange.md")
BEGIN, END = "<!-- exchanges: begin -->\n", "<!-- exchanges: end -->"
HEAD = (
    "| Exchange | Keys | Orders | Canceled when we are silent | Test money | A key tells |",
    "| --- | --- | --- | --- | --- | --- |",
)


def row_of(pack: VenuePack) -> str:
    """Return the line of the guide's table."""
    kinds = [kind.replace("_", " ").lower() for kind in OrderType if kind in pack.order_types]
    kinds += ["post-only"] * pack.has_post_only
    cells = (
        pack.name,
        "yes" if pack.protects_positions else f"no: {pack.no_stops_because}",
        ", ".join(kinds),
        "yes" if pack.has_dead_man else "no",
        "yes" if pack.sandbox is not None else "no",
        "yes" if type(pack.dialect).permissions is not Dialect.permissions else "no",
    )
    return f"| {' | '.join(cells)} |"


def test_the_guide_has_the_table_of_the_packs():
    """Copy the expected lines into the guide if a pack has changed."""
    expected = "\n".join(["", *HEAD, *(row_of(pack) for pack in offered_packs()), "", ""])

    told = GUIDE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]

    assert told == expected


@pytest.mark.parametrize("pack", offered_packs(), ids=lambda pack: pack.ccxt_id)
def test_a_pack_without_stops_says_why_and_one_with_them_has_no_excuse(pack):
    assert bool(pack.no_stops_because) is not pack.protects_positions


def test_a_venue_that_an_operator_has_closed_says_so():
    venue = Venue(code="kraken", ccxt_id="kraken", takes_live_accounts=False)

    assert "operator" in abilities_of(venue).no_keys_because


def test_a_venue_that_lives_in_this_process_takes_every_order():
    venue = Venue(code="memory", ccxt_id="memory", takes_live_accounts=True)

    able = abilities_of(venue)

    assert (able.order_types, able.no_keys_because) == (frozenset(OrderType), "")
