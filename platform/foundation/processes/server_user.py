"""The operating-system user that the embedded servers run as.

PostgreSQL refuses to run as root, so under root both servers give their rights away.
"""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from foundation.processes.errors import UnsuitableMachineError


@dataclass(frozen=True, slots=True)
class ServerUser:
    """A user without special rights."""

    uid: int
    gid: int
    name: str


def choose_server_user(checkout: Path) -> ServerUser | None:
    """Return the user to switch to, or None if this process has no rights to give away.

    Root hands over to the owner of the checkout, so that the same person can later start without
    root; a checkout that belongs to root is served by ``nobody``.
    """
    if os.geteuid() != 0:
        return None
    for account in (_account_of(checkout.stat().st_uid), _account_named("nobody")):
        if account is not None and account.pw_uid != 0:
            return ServerUser(uid=account.pw_uid, gid=account.pw_gid, name=account.pw_name)
    raise UnsuitableMachineError(
        "PostgreSQL does not run as root, and this machine has no user 'nobody' to run it as. "
        "Start as an ordinary user, or set DATABASE_URL and REDIS_URL."
    )


def can_enter(path: Path, user: ServerUser) -> bool:
    """Tell whether *user* may walk down to *path* (symbolic links followed)."""
    resolved = path.resolve()
    return all(_may_search(part, user) for part in (resolved, *resolved.parents) if part.is_dir())


def _may_search(folder: Path, user: ServerUser) -> bool:
    found = folder.stat()
    if found.st_uid == user.uid:
        return bool(found.st_mode & stat.S_IXUSR)
    if found.st_gid == user.gid:
        return bool(found.st_mode & stat.S_IXGRP)
    return bool(found.st_mode & stat.S_IXOTH)


def _account_of(uid: int) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwuid(uid)
    except KeyError:
        return None


def _account_named(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None
