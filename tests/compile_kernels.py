"""Compile what is compiled, once, before several workers of the suite and their platforms ask for it."""

from backtesting import engine
from market import matching
from strategies import decide
from strategies.indicators import averages, crossings, forecast, peaks

if __name__ == "__main__":
    for each in (averages, crossings, forecast, peaks, matching, decide, engine):
        each.preload()
