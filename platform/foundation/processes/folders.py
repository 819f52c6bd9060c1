"""Where the embedded servers keep their programs, data and sockets.

Normally that is ``.local/`` in the checkout. It is elsewhere when the checkout is read-only, lies
too deep for PostgreSQL, or when the user that the servers run as may not enter it; each choice
comes with a sentence that says so.
"""

import hashlib
import os
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from foundation.processes.errors import UnsuitableMachineError
from foundation.processes.server_user import ServerUser, can_enter

#: PostgreSQL keeps paths in buffers of 1,024 bytes and appends its own names to the data folder.
_LONGEST_DATA_PATH: Final = 700
#: A Unix socket's path ends at 107 bytes, and PostgreSQL adds ``/.s.PGSQL.5432.lock``.
_LONGEST_SOCKET_FOLDER: Final = 80


@dataclass(frozen=True, slots=True)
class Folders:
    """The chosen folders of one checkout, and what to tell a person about the choice."""

    state: Path
    server_data: Path
    notes: tuple[str, ...]


def choose_folders(checkout: Path, user: ServerUser | None) -> Folders:
    """Create and return the folders for *checkout*; its servers run as *user* (None: as we do)."""
    notes: list[str] = []
    state = checkout / ".local"
    try:
        state.mkdir(mode=0o755, exist_ok=True)
        writable = os.access(state, os.W_OK | os.X_OK)
    except OSError:
        writable = False
    if not writable:
        state = _folder_outside(checkout, "state", None)
        notes.append(f"{checkout} cannot be written to, so everything is kept in {state}.")

    reason = _why_not_here(state, user)
    if reason is None:
        return Folders(state=state, server_data=state, notes=tuple(notes))
    data = _folder_outside(checkout, "servers", user)
    notes.append(f"{reason}, so the servers' data is kept in {data}.")
    return Folders(state=state, server_data=data, notes=tuple(notes))


def state_candidates(checkout: Path) -> tuple[Path, ...]:
    """Return where the state of *checkout* may lie, without creating anything."""
    return checkout / ".local", _path_outside(checkout, "state")


def make_server_folder(path: Path, user: ServerUser | None) -> Path:
    """Create *path* for the servers alone, and return it."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if user is not None:
        os.chown(path, user.uid, user.gid)
    return path


def make_temporary_folder(purpose: str, user: ServerUser | None) -> Path:
    """Create a folder with a short path that only *user* may enter; the caller removes it."""
    for parent in (tempfile.gettempdir(), "/tmp", "/var/tmp"):  # noqa: S108 (mkdtemp below)
        reachable = user is None or can_enter(Path(parent), user)
        if reachable and len(parent) < _LONGEST_SOCKET_FOLDER and os.access(parent, os.W_OK):
            folder = Path(tempfile.mkdtemp(prefix=f"trading-{purpose}-", dir=parent))
            return make_server_folder(folder, user)
    raise UnsuitableMachineError(
        "There is no folder for temporary files with a short path: "
        "neither TMPDIR nor /tmp nor /var/tmp will do."
    )


def reachable_program(
    program: Path, *, needs: tuple[Path, ...], home: Path, user: ServerUser | None
) -> Path:
    """Return a path at which *user* can run *program*, a copy below *home* if need be.

    Parameters
    ----------
    program
        The program, inside the first of *needs* that contains it.
    needs
        Files and folders that belong together; their common parent becomes one folder of *home*.
    home
        A folder that *user* can enter.
    """
    if user is None or can_enter(program.parent, user):
        return program
    root = Path(os.path.commonpath([program, *needs]))
    root = root if root.is_dir() else root.parent
    size_and_time = f"{needs}:{program.stat().st_size}:{program.stat().st_mtime_ns}"
    copies = home / "programs" / hashlib.sha256(size_and_time.encode()).hexdigest()[:12]
    if not copies.exists():
        unfinished = copies.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        for needed in needs:
            target = unfinished / needed.relative_to(root)
            target.parent.mkdir(parents=True, exist_ok=True)
            if needed.is_dir():
                shutil.copytree(needed, target, symlinks=True)
            else:
                shutil.copy2(needed, target)
        unfinished.rename(copies)
    return copies / program.relative_to(root)


def _why_not_here(state: Path, user: ServerUser | None) -> str | None:
    if len(os.fsencode(state.resolve())) > _LONGEST_DATA_PATH:
        return f"The path of {state} is too long for PostgreSQL"
    if user is not None and not can_enter(state, user):
        return f"The servers run as '{user.name}', who may not enter {state}"
    return None


def _folder_outside(checkout: Path, purpose: str, user: ServerUser | None) -> Path:
    """Return the folder outside *checkout*, having made sure that it is *user*'s alone."""
    folder = _path_outside(checkout, purpose)
    owner = os.geteuid() if user is None else user.uid
    if not os.path.lexists(folder):
        make_server_folder(folder, user)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner or found.st_mode & 0o077:
        raise UnsuitableMachineError(
            f"{folder} exists and is not a private folder of user {owner}. "
            "Look at it, and remove it if it is stale."
        )
    return folder


def _path_outside(checkout: Path, purpose: str) -> Path:
    """Return a path that belongs to this checkout and lies outside it, the same at every start."""
    mark = hashlib.sha256(os.fsencode(checkout.resolve())).hexdigest()[:12]
    return Path("/var/tmp") / f"trading-{purpose}-{mark}"  # noqa: S108 (owner and mode are checked)
