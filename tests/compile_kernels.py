"""Compile what is compiled, once, before several workers of the suite and their platforms ask for it."""

from backtesting import kernels

if __name__ == "__main__":
    kernels.compile_all()
