"""What a visitor does on the pages of the entrance."""

from typing import Any

from django.test import Client

from accounts.models import Mail, User
from accounts.services import mail_delivery
from tests.factories.accounts import PASSWORD, code_now

SIGN_UP = "/accounts/signup/"
SIGN_IN = "/accounts/login/"
RESET = "/accounts/password/reset/"
CHANGE_PASSWORD = "/accounts/password/change/"
CHANGE_ADDRESS = "/accounts/email/"
SECOND_FACTOR = "/accounts/2fa/authenticate/"
SENT = "/accounts/confirm-email/"
OTHER_PASSWORD = "another-harbor-72"


def sign_up(
    client: Client, email: str = "ada@example.com", password: str = PASSWORD, **extra: str
) -> Any:
    """Send the sign-up form."""
    form = {"email": email, "password1": password, "password2": password}
    return client.post(SIGN_UP, form | extra)


def sign_in(
    client: Client, email: str = "ada@example.com", password: str = PASSWORD, **extra: str
) -> Any:
    """Send the sign-in form."""
    return client.post(SIGN_IN, {"login": email, "password": password} | extra)


def is_signed_in(client: Client) -> bool:
    """Tell whether *client* is let into a private page."""
    return client.get("/account/security/").status_code == 200


def signed_in(person: User) -> Client:
    """Return a browser that signed in through the form, without a second factor."""
    client = Client()
    sign_in(client, person.email)
    assert is_signed_in(client)
    return client


def confirm_it_is_me(client: Client, password: str = PASSWORD) -> None:
    """Enter the password once more, as it is asked before a delicate change."""
    response = client.post("/accounts/reauthenticate/", {"password": password})
    assert response.status_code == 302, response.content


def enter_code(client: Client, code: str | None = None) -> Any:
    """Send a code of the second factor."""
    return client.post(SECOND_FACTOR, {"code": code or code_now()})


def mails_to(email: str) -> list[str]:
    """Return the kinds of mail that were asked for, the oldest first."""
    return list(Mail.objects.filter(recipient=email).order_by("pk").values_list("kind", flat=True))


def link_to(email: str, kind: str, mailoutbox: list[Any]) -> str:
    """Have the last mail of *kind* sent, and return the path that its link leads to."""
    mail = Mail.objects.filter(recipient=email, kind=kind).order_by("pk").last()
    assert mail is not None, f"no {kind} to {email}"
    mail_delivery.send_mail(mail_id=mail.pk)
    words = mailoutbox[-1].body.split()
    link = next(word for word in words if "/accounts/" in word and word.startswith("http"))
    return f"/{link.split('/', 3)[3]}"
