"""A mail server that answers as a test wants, and mails as their readers see them."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

from django.db import connection

from accounts.models import Mail, MailKind, User
from accounts.services import mail_delivery

#: Kinds that are asked for without facts: an address and a link are all that they need.
_WITHOUT_FACTS = {
    MailKind.VERIFY_ADDRESS,
    MailKind.RESET_PASSWORD,
    MailKind.ALREADY_REGISTERED,
    MailKind.UNKNOWN_ADDRESS,
    MailKind.ADDRESS_CHANGED,
}
#: What the other kinds are told in real life.
FACTS: dict[MailKind, dict[str, str | int]] = {
    kind: {
        "title": f"Title of {kind}",
        "body": "What happened, in a sentence.",
        "path": "/exchange-accounts/",
        "exchange": "Simulator",
    }
    for kind in set(MailKind) - _WITHOUT_FACTS
}


def make_mail(owner: User | None, kind: MailKind = MailKind.KEY_INVALID, **fields) -> Mail:
    """Return a mail that waits for a worker."""
    recipient = owner.email if owner else "stranger@example.com"
    defaults = {"recipient": recipient, "facts": FACTS.get(kind, {})}
    return Mail.objects.create(owner=owner, kind=kind, **(defaults | fields))


def send(mail: Mail) -> Mail:
    """Do what a worker does with the message of *mail*, and return the row afterwards."""
    mail_delivery.send_mail(mail_id=mail.pk)
    mail.refresh_from_db()
    return mail


def let_pass(mail: Mail, interval: str) -> None:
    """Have *interval* pass for a mail that waits."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE accounts_mail SET not_before = not_before - %s::interval WHERE id = %s",
            [interval, mail.pk],
        )


@dataclass
class MailServer:
    """What a server that speaks SMTP was sent, and on which port it listens."""

    port: int = 0
    received: list[EmailMessage] = field(default_factory=list)
    #: Answer this instead of taking a mail, such as "451 Try again later".
    refuses_with: str = ""
    #: Hang up after a mail was taken, without saying so.
    hangs_up_after_taking: bool = False


@contextmanager
def running_mail_server() -> Iterator[MailServer]:
    """Run a mail server on the loopback interface."""
    state = MailServer()

    class Conversation(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 sink")
            for line in self.rfile:
                verb = line.split(b" ")[0].strip().upper()
                if verb == b"QUIT":
                    self._say("221 bye")
                    return
                if verb != b"DATA":
                    self._say("250 fine")
                elif state.refuses_with:
                    self._say(state.refuses_with)
                else:
                    self._say("354 go on")
                    state.received.append(_read_mail(self.rfile))
                    if state.hangs_up_after_taking:
                        return
                    self._say("250 taken")

        def _say(self, words: str) -> None:
            self.wfile.write(f"{words}\r\n".encode())

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    with Server(("127.0.0.1", 0), Conversation) as server:
        state.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()


def _read_mail(lines) -> EmailMessage:
    content = bytearray()
    for line in lines:
        if line == b".\r\n":
            break
        content += line.removeprefix(b".")
    return message_from_bytes(bytes(content), _class=EmailMessage, policy=policy.default)
