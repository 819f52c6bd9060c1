"""Django blocks without trading words: transactions, queue, events, audit, crypto, errors on the wire, processes."""
