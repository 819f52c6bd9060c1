"""The simulation: signals folded over recorded bars by the functions that also trade live."""

from backtesting.engine.portfolio import PortfolioResult, simulate_portfolio
from backtesting.engine.portfolio_steps import PortfolioStep, step_portfolio
from backtesting.engine.preloading import preload
from backtesting.engine.results import SimulationResult, Trade, TradeRow
from backtesting.engine.simulation import (
    ENGINE_VERSION,
    SimulationStopped,
    data_fingerprint,
    simulate,
)
from backtesting.engine.wallets import WalletState

__all__ = [
    "ENGINE_VERSION",
    "PortfolioResult",
    "PortfolioStep",
    "SimulationResult",
    "SimulationStopped",
    "Trade",
    "TradeRow",
    "WalletState",
    "data_fingerprint",
    "preload",
    "simulate",
    "simulate_portfolio",
    "step_portfolio",
]
