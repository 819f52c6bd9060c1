"""Why an order does not leave the process; ``judging`` has our code for each by its name."""


class OffStepError(ValueError):
    """An amount that does not lie on the venue's steps; ccxt would silently cut it."""


class UnsupportedOrderError(ValueError):
    """A type of order that the venue, or its pack, does not have."""


class StopPassedError(ValueError):
    """A stop whose price was passed, at a venue where it would then wait for the way back."""
