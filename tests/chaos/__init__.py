"""The whole platform under random kills, compared with the exchange's own books in the end.

Run by ``make chaos``; ``python -m tests.chaos --help`` lists what may be chosen.
"""
