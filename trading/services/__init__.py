"""The write paths of trading, a noun a file; each file's first line says what it writes.

**What is wanted of deployments**: ``terms`` checks what somebody asks for, ``deployments``, ``restarts``,
``changes`` and ``revisions`` write it, ``wishes`` and ``commands`` carry it on, ``stops``, ``operators``,
``accounts``, ``erasures``, ``rights`` and ``late_candles`` end or pause it; ``health`` and ``notices`` tell.

**From a closed bar to decisions**: ``groups`` claims, ``evaluation`` computes over ``bars``, ``shards`` and ``stepping`` take the
``members`` of shards through ``frames`` and ``books``; ``live_stepping`` and ``paper_stepping`` are what differs.
``entering`` and ``entry_limits`` say why nothing may be opened. ``outcomes`` and ``intents`` write what was decided.
``universe_*`` is the same for deployments that share a wallet among many markets.

**From a decision to the venue**: ``submission`` has ``serving`` take claimed accounts through ``preparation``
(``checks``, ``waits``, ``funds``, ``order_plans``, ``swap_settings``), ``fencing``, ``venues`` and ``settlement``; ``orders`` is
the only one that moves an order, ``order_rows`` and ``bookings`` do it for many, ``fills`` books executions.

**What protects a position**: ``protection``, ``trades``, ``protective_orders``, ``exits``, ``opened``, ``unprotected``,
``dead_men``.

**Paper**: ``paper``, ``paper_books``, ``paper_ledger`` are the venue.

**What is true at the venue**: ``reconciliation`` makes ``account_plans``, asks ``questions`` and has ``lookups``,
``absence``, ``external``, ``drift``, ``reviews``, ``order_problems`` and ``daily_reports`` act on the answers;
``starts`` blocks entries until it has. ``fundings`` books what swaps cost and bring.

**What may not be traded**: ``restrictions`` on ``targets``, ``halting`` and ``flattening`` what follows; ``triggers``,
``market_triggers`` and ``restored`` set them by themselves, for ``causes``; ``limits`` and ``marks`` what people allow to be lost.

**Afterwards**: ``live_drift*`` compares with a replay; ``pruning``, ``partitions`` and ``sweeps`` keep house;
``locks`` is the one order in which deployments are locked.
"""
