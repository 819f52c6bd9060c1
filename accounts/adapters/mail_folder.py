"""Mails kept as files in a folder: what a laptop has instead of a mail server.

Workers write, the web process reads; the newest mails are kept and the others forgotten.
"""

import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage as ReceivedMessage
from pathlib import Path
from typing import Final
from uuid import uuid4

from django.conf import settings
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.message import EmailMessage

#: How many mails a folder holds.
MOST_MAILS: Final = 200

_NAME: Final = re.compile(r"[0-9]{19}-[0-9a-f]{8}")
_SUFFIX: Final = ".eml"


@dataclass(frozen=True, slots=True)
class KeptMail:
    """A mail as its reader would see it."""

    name: str
    kept_at: datetime
    recipient: str
    subject: str
    text: str
    html: str


class FolderBackend(BaseEmailBackend):
    """Writes each mail to a file of its own below ``settings.EMAIL_FILE_PATH``."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Keep the mails and return how many they are; raise OSError if the folder cannot be written to."""
        folder = _folder()
        # Mails carry links that sign people in, so the folder is its owner's alone.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for message in email_messages:
            name = f"{time.time_ns()}-{uuid4().hex[:8]}"
            unfinished = folder / f"{name}.unfinished"
            unfinished.write_bytes(message.message().as_bytes())
            # A reader sees a mail whole or not at all.
            unfinished.rename(folder / f"{name}{_SUFFIX}")
        for path in _newest_first(folder)[MOST_MAILS:]:
            path.unlink(missing_ok=True)
        return len(email_messages)


def kept_mails() -> list[KeptMail]:
    """Return the mails of the folder, newest first; none if there is no folder."""
    return [mail for path in _newest_first(_folder()) for mail in _read(path)]


def find_kept_mail(name: str) -> KeptMail | None:
    """Return the mail called *name*, or None if there is none, or not any more."""
    if not _NAME.fullmatch(name):
        return None
    return next(iter(_read(_folder() / f"{name}{_SUFFIX}")), None)


def _folder() -> Path:
    return Path(settings.EMAIL_FILE_PATH)


def _newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{_SUFFIX}"), reverse=True)


def _read(path: Path) -> Iterable[KeptMail]:
    """Yield the mail at *path*; nothing if another process has just removed it."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    message = message_from_bytes(content, _class=ReceivedMessage, policy=policy.default)
    yield KeptMail(
        name=path.stem,
        kept_at=datetime.fromtimestamp(int(path.stem.partition("-")[0]) / 1e9, tz=UTC),
        recipient=str(message["To"]),
        subject=str(message["Subject"]),
        text=_part(message, "plain"),
        html=_part(message, "html"),
    )


def _part(message: ReceivedMessage, kind: str) -> str:
    part = message.get_body(preferencelist=(kind,))
    return str(part.get_content()) if part is not None else ""
