"""Processes of one machine: the embedded servers, and the supervisor that runs everything.

Nothing here imports Django, because all of it happens before there is a database to connect to.
"""
