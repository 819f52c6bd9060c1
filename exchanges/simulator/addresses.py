"""Faults that live at the client's address: nothing of a request ever reaches an exchange.

Each gives an address to point a client at, for as long as its block lasts.
"""

import socket
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from types import MappingProxyType
from typing import Final

from exchanges.simulator.fault_kinds import FaultKind

_LOOPBACK: Final = "127.0.0.1"
#: Connections that fill a queue of length 0; one more than enough on every kernel.
_FILLERS: Final = 4
_PATIENCE_S: Final = 5.0


@contextmanager
def refusing() -> Iterator[str]:
    """Give the address of a closed port; it is held, so that nobody else opens it meanwhile."""
    with socket.socket() as bound:
        bound.bind((_LOOPBACK, 0))
        yield f"http://{_LOOPBACK}:{bound.getsockname()[1]}"


@contextmanager
def hanging() -> Iterator[str]:
    """Give the address of a port whose queue is full: a connection is never established."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind((_LOOPBACK, 0))
        listening.listen(0)
        address = listening.getsockname()
        for _ in range(_FILLERS):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(address)
        yield f"http://{_LOOPBACK}:{address[1]}"


@contextmanager
def unresolvable() -> Iterator[str]:
    """Give an address whose host can have no address: RFC 6761 reserves the name for that."""
    yield "http://no-such-exchange.invalid"


@contextmanager
def untrusted() -> Iterator[str]:
    """Give the address of a TLS port with a fresh self-signed certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        certificate = Path(folder) / "certificate.pem"
        certificate.write_bytes(_self_signed())
        context.load_cert_chain(certificate)
    with socket.socket() as listening:
        listening.bind((_LOOPBACK, 0))
        listening.listen()
        thread = threading.Thread(target=_shake_hands, args=(listening, context), daemon=True)
        thread.start()
        yield f"https://{_LOOPBACK}:{listening.getsockname()[1]}"
        # Wakes the thread, which waits for the next client.
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(timeout=_PATIENCE_S)


#: The address of each kind that lives there.
ADDRESSES: Final[Mapping[FaultKind, Callable[[], AbstractContextManager[str]]]] = MappingProxyType(
    {
        FaultKind.CONNECTION_REFUSED: refusing,
        FaultKind.CONNECT_HANGS: hanging,
        FaultKind.NAME_UNRESOLVABLE: unresolvable,
        FaultKind.CERTIFICATE_UNTRUSTED: untrusted,
    }
)


def _shake_hands(listening: socket.socket, context: ssl.SSLContext) -> None:
    """Offer TLS to one client after another until the port is shut, and say nothing more."""
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        connection.settimeout(_PATIENCE_S)
        # Refusing the certificate ends the handshake with an error, and that is the point.
        with connection, suppress(OSError):
            context.wrap_socket(connection, server_side=True).close()


def _self_signed() -> bytes:
    """Return a key and a certificate for the loopback address, signed by nobody but itself."""
    # Heavy, and needed by this one fault alone.
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, _LOOPBACK)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(_LOOPBACK))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    plain = serialization.NoEncryption()
    return key.private_bytes(encoding, form, plain) + certificate.public_bytes(encoding)
