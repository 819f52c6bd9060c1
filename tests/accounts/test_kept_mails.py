"""Mails that no server takes: kept as files, shown on a page of this machine alone."""

import stat
from pathlib import Path

import pytest
from django.core.mail import EmailMultiAlternatives, send_mail
from django.test import Client

from accounts.adapters import mail_folder
from accounts.models import Mail
from tests.accounts.mailing import make_mail, send
from tests.factories.accounts import make_person

LIST = "/dev/mail/"


@pytest.fixture
def folder(tmp_path: Path, settings) -> Path:
    settings.EMAIL_BACKEND = "accounts.adapters.mail_folder.FolderBackend"
    settings.EMAIL_FILE_PATH = str(tmp_path / "a folder" / "mail")
    return tmp_path / "a folder" / "mail"


def write(subject: str = "Hello", text: str = "Text", html: str = "<p>HTML</p>") -> None:
    """Send a mail."""
    message = EmailMultiAlternatives(subject, text, to=["ada@example.com"])
    message.attach_alternative(html, "text/html")
    message.send()


class TestTheFolder:
    def test_a_mail_is_read_as_it_was_written(self, folder):
        write("Grüße “an” alle", "Zeile eins\nZeile “zwei”\n", "<p>Grüße</p>")

        mail = mail_folder.kept_mails()[0]
        assert mail == mail_folder.find_kept_mail(mail.name)
        assert (mail.subject, mail.recipient) == ("Grüße “an” alle", "ada@example.com")
        assert mail.text == "Zeile eins\nZeile “zwei”\n"
        assert mail.html.strip() == "<p>Grüße</p>"

    def test_a_mail_without_html_has_none(self, folder):
        send_mail("Plain", "Text", None, ["ada@example.com"])

        assert mail_folder.kept_mails()[0].html == ""

    def test_only_the_newest_are_kept(self, folder, monkeypatch):
        monkeypatch.setattr(mail_folder, "MOST_MAILS", 3)
        for number in range(5):
            write(f"Mail {number}")

        assert [mail.subject for mail in mail_folder.kept_mails()] == ["Mail 4", "Mail 3", "Mail 2"]
        assert len(list(folder.iterdir())) == 3

    def test_it_is_its_owners_alone(self, folder):
        write()

        assert stat.S_IMODE(folder.stat().st_mode) == 0o700

    def test_there_may_be_no_folder_yet(self, folder):
        assert mail_folder.kept_mails() == []

    @pytest.mark.parametrize("name", ["../../secrets.env", "nonsense", "1" * 19 + "-zzzzzzzz", ""])
    def test_a_name_that_is_none_finds_nothing(self, folder, name):
        assert mail_folder.find_kept_mail(name) is None

    @pytest.mark.django_db
    def test_a_folder_that_cannot_be_made_is_a_failed_attempt(self, folder):
        folder.parent.mkdir()
        folder.write_text("a file of that name")

        assert send(make_mail(make_person())).last_error == "FileExistsError"


@pytest.mark.django_db
class TestThePage:
    def test_it_says_when_there_is_nothing(self, client, folder):
        assert "No mails yet" in client.get(LIST).content.decode()

    def test_the_newest_comes_first(self, client, folder):
        write("First")
        write("Second")

        text = client.get(LIST).content.decode()

        assert text.index("Second") < text.index("First")

    def test_its_text_has_links_to_click_on(self, client, folder):
        write(text="Open http://127.0.0.1:8000/accounts/confirm-email/abc:1x/ now.")
        name = mail_folder.kept_mails()[0].name

        text = client.get(f"{LIST}{name}/").content.decode()

        assert 'href="http://127.0.0.1:8000/accounts/confirm-email/abc:1x/"' in text

    def test_markup_in_its_text_stays_text(self, client, folder):
        write("<script>x</script>", text="<script>x</script>")
        name = mail_folder.kept_mails()[0].name

        for address in (LIST, f"{LIST}{name}/"):
            assert "<script>x" not in client.get(address).content.decode()

    def test_its_html_runs_nothing_and_reaches_nothing(self, client, folder):
        write(html="<script>x</script>")
        name = mail_folder.kept_mails()[0].name

        response = client.get(f"{LIST}{name}/html/")

        policy = response["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "sandbox allow-popups" in policy
        assert "allow-scripts" not in policy
        assert "allow-same-origin" not in policy
        assert response["X-Frame-Options"] == "SAMEORIGIN"

    @pytest.mark.parametrize("path", ["nonsense/", "nonsense/html/"])
    def test_a_mail_that_is_gone_is_not_found(self, client, folder, path):
        assert client.get(f"{LIST}{path}").status_code == 404

    def test_other_machines_find_nothing(self, folder):
        write()
        name = mail_folder.kept_mails()[0].name
        elsewhere = Client(REMOTE_ADDR="192.0.2.7")

        for path in ("", f"{name}/", f"{name}/html/"):
            assert elsewhere.get(f"{LIST}{path}").status_code == 404

    def test_signing_up_leads_to_a_link_that_proves_the_address(self, client, folder):
        fields = {"password1": "quiet-harbor-71", "password2": "quiet-harbor-71"}
        client.post("/accounts/signup/", {"email": "new@example.com", **fields})
        send(Mail.objects.get())
        mail = mail_folder.kept_mails()[0]

        assert mail.recipient == "new@example.com"
        assert "/accounts/confirm-email/" in mail.text
