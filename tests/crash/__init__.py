"""The kill matrix: processes killed at every step of an order's life, against an exchange that knows the truth.

``python -m tests.crash --seeds 40`` runs it, ``--point NAME --seed N`` repeats one scenario, and
``--canary NAME`` breaks the platform on purpose to see that the matrix notices.
"""
