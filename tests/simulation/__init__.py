"""The platform simulated: days of trading from seeds, in one thread and by one clock that nothing but the seed moves.

``python -m tests.simulation --seeds 1000`` plays them, ``--seed N --trace`` repeats one exactly, and
``--canary NAME`` breaks the platform on purpose to see that the simulation notices.
"""
