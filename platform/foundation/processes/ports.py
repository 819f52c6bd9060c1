"""TCP ports of the loopback interface."""

import errno
import socket

from foundation.processes.errors import PortInUseError

LOOPBACK = "127.0.0.1"


def free_port(*, preferred: int | None = None) -> int:
    """Return *preferred* if nobody listens there, else a port that the system picks.

    The port is free when this returns; whoever binds it next must still expect to lose a race.
    """
    if preferred is not None and is_free(preferred):
        return preferred
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Tell whether *port* can be bound on the loopback interface."""
    with socket.socket() as probe:
        # Connections in TIME_WAIT, which a server leaves behind, do not stand in the way.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                return False
            raise
    return True


def require_free(port: int) -> None:
    """Raise PortInUseError unless *port* can be bound."""
    if not is_free(port):
        raise PortInUseError(
            f"Port {port} of {LOOPBACK} is in use or not allowed. Stop what listens there, "
            f"or choose another: make run PORT={free_port()}"
        )
