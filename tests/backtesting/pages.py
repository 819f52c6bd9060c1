"""The pages of backtesting that are looked at in a browser."""

from datetime import timedelta
from decimal import Decimal

from accounts.models import User
from backtesting.models import AwaitedRun, AwaitedStatus, BacktestRun, RunStatus, Sweep
from backtesting.services import awaited, history
from foundation.audit import Actor
from market.enums import InstrumentKind
from tests.backtesting.check_cases import CHECK_PAGES
from tests.backtesting.universes import make_universe, universe_wish
from tests.factories.backtesting import FIRST_AT, make_done_run, make_market, make_run, wish
from tests.factories.sweeps import make_done_sweep, make_sweep
from tests.web.pages import PageCase, at

_BY = Actor.system("test")


def _address(run: BacktestRun) -> str:
    return f"/backtests/{run.public_id}/"


def _list(person: User) -> str:
    make_market()
    make_done_run(person)
    make_run(person, capital=Decimal(2_000))
    return "/backtests/"


def _filtered(person: User) -> str:
    _list(person)
    return "/backtests/?status=FAILED"


def _compared(person: User) -> str:
    make_market()
    runs = [
        make_done_run(person, parameters={"short_ema_period": period}) for period in (2, 3, 5, 8, 9)
    ]
    for run in runs[:2]:
        history.annotate_run(run_id=run.pk, tags=["fast", "second try"], by=_BY)
    return "/backtests/compare/?" + "&".join(f"run={run.public_id}" for run in runs)


def _form(person: User) -> str:
    make_market()
    return "/backtests/new/?strategy=ema-crossover"


def _done(person: User) -> str:
    make_market()
    return _address(make_done_run(person))


def _annotated(person: User) -> str:
    """A longer run with months of both colors, an interval and a note."""
    make_market(bars=3_000)
    run = make_done_run(person, to_at=FIRST_AT + timedelta(hours=3_000))
    tags = ["trend", "low risk", "a tag of thirty characters, no".replace(",", "")]
    history.annotate_run(run_id=run.pk, tags=tags, notes="Too good?\n\n" + "x" * 90, by=_BY)
    run.refresh_from_db()
    values = run.metrics["values"]
    run.metrics |= {
        "optimistic": {
            "total_return": values["total_return"] + 0.0123,
            "final_equity": values["final_equity"] + 123,
        },
        "ambiguous_bars": 17,
    }
    run.save()
    return _address(run)


def _without_trades(person: User) -> str:
    """Shorts on a spot market never open."""
    make_market()
    return _address(make_done_run(person, parameters={"direction": "SHORT"}))


def _waiting(person: User) -> str:
    make_market()
    return _address(make_run(person))


def _awaited(person: User) -> str:
    make_market()
    return f"/backtests/awaited/{_wish(person).public_id}/"


def _awaited_in_vain(person: User) -> str:
    make_market()
    found = _wish(person)
    found.status, found.error_code = AwaitedStatus.FAILED, "too_much_history"
    found.error_message = "That is 700,000 bars of 1m, at most 600,000 are fetched at once."
    found.save()
    return f"/backtests/awaited/{found.public_id}/"


def _awaited_in_the_list(person: User) -> str:
    make_market()
    _wish(person)
    return "/backtests/"


def _wish(person: User) -> AwaitedRun:
    now = FIRST_AT + timedelta(days=400)
    asked = wish(to_at=FIRST_AT + timedelta(days=100))
    found = awaited.request_run(owner=person, by=_BY, now=now, **asked)
    assert isinstance(found, AwaitedRun)
    return found


def _failed(person: User) -> str:
    make_market()
    run = make_run(person)
    run.status = RunStatus.FAILED
    run.error_code, run.error_message = "time_limit", "It took too long. Choose a shorter window."
    run.save()
    return _address(run)


def _sweeps(person: User) -> str:
    make_market()
    make_done_sweep(person)
    make_sweep(person, seed=2)
    return "/backtests/sweeps/"


def _sweep_form(person: User) -> str:
    make_market()
    return "/backtests/sweeps/new/?strategy=ema-crossover"


def _sweep(person: User) -> str:
    make_market()
    space = {
        "short_ema_period": {"from": 4, "to": 12, "step": 2},
        "long_ema_period": {"values": [10, 20, 30]},
        "take_profit_percent": {"values": [2.0, 8.0]},
    }
    return _sweep_address(make_done_sweep(person, space=space))


def _universe_form(person: User) -> str:
    make_universe(InstrumentKind.LINEAR_SWAP)
    return "/backtests/new/?strategy=top-movers-macd"


def _universe_done(person: User) -> str:
    """Four markets, one listed late and one delisted, with funding and bars that leave much open."""
    make_universe(InstrumentKind.LINEAR_SWAP)
    parameters = {"top_n_symbols": 2, "stop_loss_percent": 0.8, "take_profit_percent": 0.8}
    wish = universe_wish(parameters=parameters, funding_bps=Decimal(1))
    return _address(make_done_run(person, **{"market": "", **wish}))


def _choices_form(person: User) -> str:
    make_market()
    return "/backtests/new/?strategy=macd-mtf-forecast"


def _universe_sweep(person: User) -> str:
    make_universe(InstrumentKind.LINEAR_SWAP)
    space = {"top_n_symbols": "1,2", "stop_loss_percent": "1,3"}
    wish = universe_wish(parameters={})
    return _sweep_address(
        make_done_sweep(person, **{"market": "", **wish, "space": space}, parameters_are_text=True)
    )


def _waiting_sweep(person: User) -> str:
    make_market()
    return _sweep_address(make_sweep(person))


def _failed_sweep(person: User) -> str:
    make_market()
    sweep = make_done_sweep(person, least_trades=1_000)
    sweep.status, sweep.error_code = RunStatus.FAILED, "time_limit"
    sweep.error_message = "It took too long. Try fewer combinations or a shorter window."
    sweep.save()
    return _sweep_address(sweep)


def _sweep_address(sweep: Sweep) -> str:
    return f"/backtests/sweeps/{sweep.public_id}/"


PAGES = [
    *CHECK_PAGES,
    PageCase("backtests", _list),
    PageCase("backtests-empty", at("/backtests/")),
    PageCase("backtest-new", _form),
    PageCase("backtest-new-empty", at("/backtests/new/")),
    PageCase("backtests-nothing-fits", _filtered),
    PageCase("backtests-compared", _compared),
    PageCase("backtest-done", _done),
    PageCase("backtest-annotated", _annotated),
    PageCase("backtest-without-trades", _without_trades),
    PageCase("backtest-waiting", _waiting),
    PageCase("backtest-failed", _failed),
    PageCase("backtest-awaited", _awaited),
    PageCase("backtest-awaited-in-vain", _awaited_in_vain),
    PageCase("backtests-awaited", _awaited_in_the_list),
    PageCase("backtest-new-universe", _universe_form),
    PageCase("backtest-new-choices", _choices_form),
    PageCase("backtest-done-universe", _universe_done),
    PageCase("sweep-done-universe", _universe_sweep),
    PageCase("sweeps", _sweeps),
    PageCase("sweeps-empty", at("/backtests/sweeps/")),
    PageCase("sweep-new", _sweep_form),
    PageCase("sweep-done", _sweep),
    PageCase("sweep-waiting", _waiting_sweep),
    PageCase("sweep-failed", _failed_sweep),
]
