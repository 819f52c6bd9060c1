"""Candles: sealed chunks of columns, a tail of rows not yet sealed, feeds that keep the tail growing."""

import uuid

from django.db import models
from django.db.models.functions import Now

from exchanges.models.venues import Instrument, Venue
from market.timeframes import Timeframe

TIMEFRAME_CHOICES = [(timeframe.value, timeframe.value) for timeframe in Timeframe]


class CandleChunk(models.Model):
    """A sealed stretch of candles: a UTC day below 1m, a month for 1m to 30m, a year from 1h.

    ``data`` is the codec's compressed little-endian columns; ``version`` rises with every revision inside it.
    """

    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="+")
    timeframe = models.CharField(max_length=3, choices=TIMEFRAME_CHOICES)
    starts_at = models.DateTimeField()
    codec = models.PositiveSmallIntegerField(default=1)
    version = models.PositiveIntegerField(default=1)
    row_count = models.PositiveIntegerField()
    first_open_at = models.DateTimeField()
    last_open_at = models.DateTimeField()
    sha256 = models.CharField(max_length=64)
    data = models.BinaryField()
    recorded_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["instrument", "timeframe", "starts_at"], name="chunk_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.instrument_id} {self.timeframe} {self.starts_at:%Y-%m-%d}"


class CandleTail(models.Model):
    """One closed candle that is not sealed into a chunk yet."""

    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="+")
    timeframe = models.CharField(max_length=3, choices=TIMEFRAME_CHOICES)
    open_at = models.DateTimeField()
    open = models.FloatField()
    high = models.FloatField()
    low = models.FloatField()
    close = models.FloatField()
    volume = models.FloatField()
    revision = models.PositiveIntegerField(default=0)
    recorded_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name = "candle not sealed yet"
        verbose_name_plural = "candles not sealed yet"
        constraints = [
            models.UniqueConstraint(
                fields=["instrument", "timeframe", "open_at"], name="tail_candle_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.instrument_id} {self.timeframe} {self.open_at:%Y-%m-%d %H:%M:%S}"


class CandleRevision(models.Model):
    """The former values of a candle that a venue changed after its close."""

    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="+")
    timeframe = models.CharField(max_length=3, choices=TIMEFRAME_CHOICES)
    open_at = models.DateTimeField()
    open = models.FloatField()
    high = models.FloatField()
    low = models.FloatField()
    close = models.FloatField()
    volume = models.FloatField()
    recorded_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return f"{self.instrument_id} {self.timeframe} {self.open_at:%Y-%m-%d %H:%M:%S}"


class CandleGap(models.Model):
    """Candles that the source does not have: ``[from_at, to_at)`` in open times."""

    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="+")
    timeframe = models.CharField(max_length=3, choices=TIMEFRAME_CHOICES)
    from_at = models.DateTimeField()
    to_at = models.DateTimeField()
    missing = models.PositiveIntegerField()
    recorded_at = models.DateTimeField(db_default=Now(), editable=False)
    asked_at = models.DateTimeField(
        null=True, blank=True, help_text="When the venue was last asked for these candles."
    )
    denials = models.PositiveSmallIntegerField(
        default=0, help_text="How often the venue has answered without them."
    )
    confirmed_at = models.DateTimeField(
        null=True, blank=True, help_text="Since when they count as absent at the venue itself."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["instrument", "timeframe", "from_at"], name="gap_once"),
        ]

    def __str__(self) -> str:
        return f"{self.instrument_id} {self.timeframe} {self.from_at:%Y-%m-%d %H:%M:%S}"


class QuarantinedBar(models.Model):
    """A bar that a venue told of and that cannot be: it is kept apart, and never given to anybody.

    ``settled_at`` is when the venue gave a possible bar in its place.
    """

    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="+")
    timeframe = models.CharField(max_length=3, choices=TIMEFRAME_CHOICES)
    open_ms = models.BigIntegerField(help_text="As the venue says: it may lie anywhere.")
    code = models.CharField(max_length=40, help_text="What makes it impossible.")
    open = models.FloatField()
    high = models.FloatField()
    low = models.FloatField()
    close = models.FloatField()
    volume = models.FloatField()
    times_seen = models.PositiveIntegerField(default=1)
    first_seen_at = models.DateTimeField(db_default=Now(), editable=False)
    last_seen_at = models.DateTimeField(db_default=Now())
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "candle in quarantine"
        verbose_name_plural = "candles in quarantine"
        constraints = [
            models.UniqueConstraint(
                fields=["instrument", "timeframe", "open_ms"], name="quarantined_bar_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.instrument_id} {self.timeframe} {self.open_ms}"


class CandleImport(models.Model):
    """One candle file that was imported."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    venue = models.ForeignKey(Venue, on_delete=models.PROTECT, related_name="+")
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="+")
    timeframe = models.CharField(max_length=3, choices=TIMEFRAME_CHOICES)
    file_name = models.CharField(max_length=255)
    sha256 = models.CharField(max_length=64)
    row_count = models.PositiveIntegerField()
    added = models.PositiveIntegerField()
    revised = models.PositiveIntegerField()
    missing = models.PositiveIntegerField()
    imported_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["instrument", "timeframe", "sha256"], name="candle_file_once"
            ),
        ]

    def __str__(self) -> str:
        return self.file_name


class CandleFeed(models.Model):
    """Keeps the candles of an instrument and timeframe coming, for as long as somebody holds it."""

    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="feeds")
    timeframe = models.CharField(max_length=3, choices=TIMEFRAME_CHOICES)
    backfill_from_at = models.DateTimeField()
    backfilled_from_at = models.DateTimeField(
        null=True, blank=True, help_text="Everything from here on has been asked for."
    )
    last_open_at = models.DateTimeField(null=True, blank=True)
    next_due_at = models.DateTimeField(db_default=Now())
    lease_until = models.DateTimeField(null=True, blank=True)
    epoch = models.BigIntegerField(default=0)
    failures = models.PositiveIntegerField(default=0)
    last_error = models.CharField(max_length=300, blank=True)
    answered_at = models.DateTimeField(
        null=True, blank=True, help_text="When the venue last answered, with or without new bars."
    )
    behind_since_at = models.DateTimeField(
        null=True, blank=True, help_text="Set while a bar is missing that should long be there."
    )
    behind_told_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["instrument", "timeframe"], name="feed_once"),
        ]
        indexes = [models.Index(fields=["next_due_at"], name="feed_due")]

    def __str__(self) -> str:
        return f"{self.instrument_id} {self.timeframe}"


class FeedHold(models.Model):
    """Somebody who needs a feed, by a name of theirs such as ``group:12``."""

    feed = models.ForeignKey(CandleFeed, on_delete=models.CASCADE, related_name="holds")
    holder = models.CharField(max_length=100)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["feed", "holder"], name="feed_held_once_per_holder"),
        ]

    def __str__(self) -> str:
        return self.holder
