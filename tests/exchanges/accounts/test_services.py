"""Connecting, testing, replacing and closing accounts."""

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction

from accounts.models import Mail, MailKind, Notification
from exchanges.adapters import factory as adapters
from exchanges.adapters.protocol import KeyPermissions
from exchanges.domain.credentials import CredentialFormatError
from exchanges.models import AccountKind, Balance, Credential, ExchangeAccount
from exchanges.selectors import accounts as selectors
from exchanges.selectors.instruments import UnknownVenueError
from exchanges.services import account_states, account_tests, accounts, disabling
from foundation.audit import Actor
from foundation.crypto import SealBrokenError, open_sealed
from foundation.models import AuditEntry, OutboxEvent
from market.errors import (
    ConflictError,
    CredentialRejectedError,
    VenueTimeoutError,
    VenueUnavailableError,
)
from tests.exchanges.accounts.conftest import API_KEY, NOW, SECRET, UNTOLD
from tests.exchanges.accounts.connecting import connect, reread, run_test
from tests.factories import exchanges as factory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("memory_venue")]

NEW_KEY = "canary-new-api-key-77aa88bb"
NEW_SECRET = "canary-new-secret-99cc00dd"


def replace(account, **fields):
    arguments = {
        "owner": account.owner,
        "account_public_id": account.public_id,
        "api_key": NEW_KEY,
        "secret": NEW_SECRET,
        "by": Actor.person(account.owner_id),
        "now": NOW,
    }
    return accounts.replace_credential(**(arguments | fields))


def close(account):
    return accounts.close_account(
        owner=account.owner,
        account_public_id=account.public_id,
        by=Actor.person(account.owner_id),
        now=NOW,
    )


def ask_and_run(account):
    """Have the key tested again, as its owner does."""
    account_tests.request_test(
        owner=account.owner,
        account_public_id=account.public_id,
        by=Actor.person(account.owner_id),
        now=NOW,
    )
    return run_test(account)


def refuse_in_trading(account, *, times=1):
    for _ in range(times):
        account_states.note_refusal(
            account_id=account.pk, code="credential_rejected", message="Refused.", now=NOW
        )
    return reread(account)


def invalidations():
    events = OutboxEvent.objects.filter(name="exchanges.account-invalidated").order_by("pk")
    return [event.payload["code"] for event in events]


class TestConnect:
    def test_the_account_waits_for_its_test_and_holds_sealed_keys(
        self, ada, django_capture_on_commit_callbacks
    ):
        with django_capture_on_commit_callbacks() as waiting:
            account = connect(ada, label="  My   account ")

        credential = Credential.objects.get(account=account)
        assert (account.status, account.label, account.kind) == ("PENDING", "My account", "LIVE")
        assert account.is_being_tested
        assert credential.last_four == API_KEY[-4:]
        assert API_KEY.encode() not in bytes(credential.sealed_api_key)
        assert (
            open_sealed(credential.sealed_secret, credential.context("secret")).reveal() == SECRET
        )
        assert len(waiting) == 1

    def test_the_deed_is_on_record_without_the_key(self, ada):
        account = connect(ada)

        entry = AuditEntry.objects.get(verb="exchange_account.connected")
        assert entry.detail == {
            "venue": "memory", "label": "Main", "last_four": API_KEY[-4:], "declared_safe": False
        }  # fmt: skip
        assert (entry.owner_id, entry.target_identifier) == (ada.pk, str(account.public_id))

    def test_a_name_is_taken_once_for_each_person_and_venue(self, ada, bert):
        connect(ada)

        with pytest.raises(accounts.LabelTakenError):
            connect(ada)
        assert connect(bert).label == "Main"
        assert Credential.objects.count() == 2

    def test_an_empty_name_becomes_the_name_of_the_exchange(self, ada):
        assert connect(ada, label=" ").label == "Memory"

    @pytest.mark.parametrize("label", ["x" * 81, "bell\x07", "paper"])
    def test_a_name_that_cannot_be_is_refused(self, ada, label):
        with pytest.raises(accounts.InvalidLabelError):
            connect(ada, label=label)

    def test_a_venue_that_takes_no_keys_is_refused(self, ada):
        factory.make_venue("binance", real_money=True)

        with pytest.raises(accounts.VenueTakesNoKeysError):
            connect(ada, venue_code="binance")

    def test_an_unknown_venue_is_refused(self, ada):
        with pytest.raises(UnknownVenueError):
            connect(ada, venue_code="nowhere")

    def test_keys_that_cannot_be_are_refused_and_nothing_is_stored(self, ada):
        with pytest.raises(CredentialFormatError):
            connect(ada, api_key="two words")

        assert ExchangeAccount.objects.count() == 0


class TestTheTestOfAKey:
    def test_a_key_that_works_connects_the_account_and_shows_its_balances(self, ada):
        account = run_test(connect(ada))

        assert (account.status, account.status_code) == ("ACTIVE", "")
        assert (account.connected_at, account.tested_at) == (NOW, NOW)
        assert account.is_usable
        balance = Balance.objects.get(account=account)
        assert (balance.currency, balance.free, balance.used) == ("USDT", Decimal(100_000), 0)

    def test_a_key_that_can_withdraw_is_refused(self, ada, memory_venue):
        memory_venue.permissions = KeyPermissions(can_read=True, can_trade=True, can_withdraw=True)

        account = run_test(connect(ada))

        assert (account.status, account.status_code) == ("INVALID", "withdraw_enabled")
        assert "Make one without" in account.status_message
        assert not account.is_usable
        assert Balance.objects.count() == 0

    def test_a_key_that_may_not_trade_is_refused(self, ada, memory_venue):
        memory_venue.permissions = KeyPermissions(
            can_read=True, can_trade=False, can_withdraw=False
        )

        assert run_test(connect(ada)).status_code == "trading_not_allowed"

    def test_a_venue_that_does_not_tell_permissions_waits_for_the_persons_word(
        self, ada, memory_venue
    ):
        memory_venue.permissions = UNTOLD
        account = run_test(connect(ada))
        assert (account.status, account.status_code) == ("PENDING", "declaration_needed")
        assert not account.is_usable

        for _ in range(2):
            accounts.declare_safe(
                owner=ada, account_public_id=account.public_id, by=Actor.person(ada.pk), now=NOW
            )
        account = run_test(account)

        assert account.status == "UNVERIFIED_PERMISSIONS"
        assert account.is_usable
        assert account.is_unverified
        assert AuditEntry.objects.filter(verb="exchange_account.declared_safe").count() == 1

    def test_a_venue_that_tells_no_more_takes_the_account_out_of_use_and_says_so(
        self, ada, memory_venue
    ):
        account = run_test(connect(ada))
        memory_venue.permissions = UNTOLD

        account = ask_and_run(account)

        assert (account.status, account.is_usable) == ("PENDING", False)
        assert invalidations() == ["declaration_needed"]
        assert "needs a declaration" in Notification.objects.get().title

    def test_a_word_given_with_the_key_is_enough(self, ada, memory_venue):
        memory_venue.permissions = UNTOLD

        account = run_test(connect(ada, declares_safe=True))

        assert account.status == "UNVERIFIED_PERMISSIONS"

    def test_a_new_key_needs_a_word_of_its_own(self, ada, memory_venue):
        memory_venue.permissions = UNTOLD
        account = run_test(connect(ada, declares_safe=True))

        account = run_test(replace(account))

        assert (account.status, account.status_code) == ("PENDING", "declaration_needed")

    def test_a_key_that_came_to_withdraw_is_refused_at_the_next_test(self, ada, memory_venue):
        account = run_test(connect(ada))
        memory_venue.permissions = KeyPermissions(can_read=True, can_trade=True, can_withdraw=True)

        account = ask_and_run(account)

        assert (account.status, account.status_code) == ("INVALID", "withdraw_enabled")
        assert invalidations() == ["withdraw_enabled"]

    @pytest.mark.parametrize(
        ("error", "status", "code"),
        [
            (CredentialRejectedError(), "INVALID", "credential_rejected"),
            (VenueUnavailableError(), "PENDING", "venue_unavailable"),
            (VenueTimeoutError(), "PENDING", "venue_timeout"),
        ],
    )
    def test_what_the_venue_says_is_what_the_account_says(
        self, ada, memory_venue, error, status, code
    ):
        memory_venue.next_question(raises=error)

        account = run_test(connect(ada))

        assert (account.status, account.status_code) == (status, code)
        assert account.status_message

    def test_a_clock_that_is_far_off_is_said(self, ada):
        account = connect(ada)

        account_tests.run_test(account_id=account.pk, clock=lambda: NOW + timedelta(minutes=2))

        account = reread(account)
        assert (account.status, account.status_code) == ("PENDING", "clock_skew")
        assert "120 seconds" in account.status_message

    def test_a_message_that_comes_twice_changes_nothing(self, ada):
        account = run_test(connect(ada))

        assert run_test(account).version == account.version

    def test_a_result_for_a_key_that_was_replaced_meanwhile_does_not_count(self, ada):
        account = connect(ada)
        replace(account)

        account_tests.record_test_result(
            account_id=account.pk,
            credential_version=1,
            result=account_tests.ProbeResult(account_tests.Finding.GOOD),
            now=NOW,
        )

        assert reread(account).status == "PENDING"
        assert reread(account).is_being_tested

    def test_asking_again_while_a_test_is_under_way_changes_nothing(
        self, ada, django_capture_on_commit_callbacks
    ):
        account = connect(ada)

        with django_capture_on_commit_callbacks() as waiting:
            account_tests.request_test(
                owner=ada,
                account_public_id=account.public_id,
                by=Actor.person(ada.pk),
                now=NOW,
            )

        assert waiting == []

    def test_an_account_that_worked_keeps_working_while_it_is_tested_again(self, ada):
        account = run_test(connect(ada))

        again = account_tests.request_test(
            owner=ada, account_public_id=account.public_id, by=Actor.person(ada.pk), now=NOW
        )

        assert again.is_being_tested
        assert again.is_usable

    def test_the_apps_above_hear_of_a_connected_key_that_is_refused_and_of_no_other(
        self, ada, memory_venue
    ):
        memory_venue.next_question(raises=CredentialRejectedError())
        account = run_test(connect(ada))
        assert invalidations() == []

        account = ask_and_run(account)
        for in_a_row in (1, 2):
            memory_venue.next_question(raises=CredentialRejectedError())
            account = ask_and_run(account)
            assert (account.status, account.authentication_failures) == ("ACTIVE", in_a_row)
            assert account.next_test_at is not None
            assert account.next_test_at < NOW + timedelta(minutes=5)
        assert invalidations() == []
        memory_venue.next_question(raises=CredentialRejectedError())
        account = ask_and_run(account)

        assert (account.status, account.connected_at) == ("INVALID", None)
        assert account.next_test_at is None
        assert invalidations() == ["credential_rejected"]

    def test_the_owner_is_told_each_time_that_a_key_stops_working(self, ada, memory_venue):
        memory_venue.next_question(raises=CredentialRejectedError())
        account = run_test(connect(ada, label="Main"))
        assert not Notification.objects.exists()

        for times in (1, 2):
            run_test(replace(account))
            refuse_in_trading(account, times=5)
            assert Notification.objects.count() == Mail.objects.count() == times

        told = Notification.objects.latest("pk")
        assert told.title == "The key of “Main” was refused"
        assert told.path == f"/exchange-accounts/{account.public_id}/"
        assert Mail.objects.latest("pk").kind == MailKind.KEY_INVALID

    def test_a_venue_that_is_away_does_not_disconnect_an_account(self, ada, memory_venue):
        account = run_test(connect(ada))
        account_tests.request_test(
            owner=ada, account_public_id=account.public_id, by=Actor.person(ada.pk), now=NOW
        )
        memory_venue.next_question(raises=VenueUnavailableError())

        account = run_test(account)

        assert (account.status, account.status_code) == ("ACTIVE", "venue_unavailable")
        assert account.is_usable
        assert invalidations() == []

    def test_three_refusals_in_a_row_in_the_middle_of_trading_end_it_once(self, ada):
        account = run_test(connect(ada))

        assert refuse_in_trading(account, times=2).is_usable
        assert refuse_in_trading(account, times=3).status == "INVALID"
        assert invalidations() == ["credential_rejected"]

    def test_an_answer_between_refusals_begins_the_count_anew(self, ada):
        account = run_test(connect(ada))

        for _ in range(3):
            refuse_in_trading(account, times=2)
            account_states.note_acceptance(account_id=account.pk)

        account = reread(account)
        assert (account.status, account.status_code, account.authentication_failures) == (
            "ACTIVE", "", 0
        )  # fmt: skip
        assert invalidations() == []


class TestTheDailyTest:
    def test_it_comes_by_itself_and_goes_on_coming(self, ada, memory_venue):
        account = run_test(connect(ada))
        turn = account.next_test_at
        assert turn is not None
        assert NOW + timedelta(hours=12) <= turn < NOW + timedelta(hours=36)
        assert account_tests.start_due_tests(now=turn - timedelta(seconds=1)) == 0

        assert account_tests.start_due_tests(now=turn) == 1
        assert account_tests.start_due_tests(now=turn) == 0, "it is under way"
        assert reread(account).is_being_tested
        memory_venue.clock = lambda: turn
        account_tests.run_test(account_id=account.pk, clock=lambda: turn)

        assert reread(account).next_test_at == turn + timedelta(days=1)

    @pytest.mark.parametrize("state", ["closed", "refused", "paper", "disabled"])
    def test_it_comes_for_nothing_that_cannot_work(self, ada, memory_venue, state):
        if state == "refused":
            memory_venue.next_question(raises=CredentialRejectedError())
        account = run_test(connect(ada))
        if state == "closed":
            close(account)
        if state == "paper":
            accounts.ensure_paper_account(owner=ada, venue_code="memory", now=NOW)
            close(account)
        if state == "disabled":
            disabling.disable_account(account_id=account.pk, by=Actor.system("test"), now=NOW)

        assert account_tests.start_due_tests(now=NOW + timedelta(days=9)) == 0


class TestTheSweep:
    def test_a_lost_message_is_sent_again(self, ada, settings, monkeypatch):
        account = connect(ada)
        sent = []
        monkeypatch.setattr(account_tests, "enqueue", lambda name, **kw: sent.append((name, kw)))
        redeliver = timedelta(seconds=settings.HORIZONS.redeliver_s)

        account_tests.sweep_tests(now=NOW + redeliver / 2)
        assert sent == []
        account_tests.sweep_tests(now=NOW + 2 * redeliver)

        assert sent == [("exchanges.test_account", {"account_id": account.pk})]

    def test_a_test_that_nobody_does_ends_with_a_word_to_the_person(self, ada, settings):
        account = connect(ada)

        account_tests.sweep_tests(now=NOW + timedelta(seconds=3 * settings.HORIZONS.lease_s))

        account = reread(account)
        assert (account.status, account.status_code) == ("PENDING", "test_not_finished")


class TestReplace:
    def test_the_old_key_is_erased_and_the_new_one_tested(self, ada):
        account = run_test(connect(ada))

        account = replace(account)

        old, new = Credential.objects.filter(account=account).order_by("version")
        assert (account.status, account.is_being_tested) == ("PENDING", True)
        assert not account.is_usable, "the new key could be one that can withdraw"
        assert (old.version, old.replaced_at, bytes(old.sealed_api_key)) == (1, NOW, b"")
        assert (bytes(old.sealed_secret), old.last_four) == (b"", API_KEY[-4:])
        assert (new.version, new.replaced_at, new.last_four) == (2, None, NEW_KEY[-4:])
        opened = open_sealed(new.sealed_api_key, new.context("api_key"))
        assert opened.reveal() == NEW_KEY

    def test_the_keys_of_two_accounts_cannot_be_swapped(self, ada):
        first, second = connect(ada), connect(ada, label="Other", api_key=NEW_KEY)
        mine, others = (Credential.objects.get(account=account) for account in (first, second))

        with pytest.raises(SealBrokenError):
            open_sealed(others.sealed_api_key, mine.context("api_key"))
        with pytest.raises(SealBrokenError):
            open_sealed(mine.sealed_secret, mine.context("api_key"))

    def test_somebody_elses_account_is_not_found(self, ada, bert):
        account = connect(ada)

        with pytest.raises(selectors.ExchangeAccountNotFoundError):
            replace(account, owner=bert)


class TestPaper:
    def test_there_is_one_for_each_person_and_venue(self, ada, bert):
        first, second = (
            accounts.ensure_paper_account(owner=ada, venue_code="memory", now=NOW) for _ in range(2)
        )
        other = accounts.ensure_paper_account(owner=bert, venue_code="memory", now=NOW)

        assert first.pk == second.pk != other.pk
        assert first.is_usable
        assert AuditEntry.objects.filter(verb="exchange_account.paper_opened").count() == 2

    def test_it_has_no_key_to_test_or_replace(self, ada):
        account = accounts.ensure_paper_account(owner=ada, venue_code="memory", now=NOW)

        with pytest.raises(accounts.KeylessAccountError):
            replace(account)
        with pytest.raises(accounts.KeylessAccountError):
            account_tests.request_test(
                owner=ada, account_public_id=account.public_id, by=Actor.person(ada.pk), now=NOW
            )

    def test_a_closed_one_can_be_opened_anew(self, ada):
        first = accounts.ensure_paper_account(owner=ada, venue_code="memory", now=NOW)
        close(first)

        second = accounts.ensure_paper_account(owner=ada, venue_code="memory", now=NOW)

        assert second.pk != first.pk


class TestClose:
    def test_the_keys_are_erased_and_the_apps_above_hear_of_it(self, ada):
        account = run_test(connect(ada))

        close(account)

        account = reread(account)
        credential = Credential.objects.get(account=account)
        assert account.closed_at == NOW
        assert not account.is_usable
        assert bytes(credential.sealed_api_key) == bytes(credential.sealed_secret) == b""
        assert Balance.objects.count() == 0
        assert invalidations() == ["account_closed"]
        assert list(selectors.accounts_for(ada)) == []

    def test_a_closed_account_stays_closed_and_frees_its_name(self, ada):
        account = connect(ada)
        close(account)

        with pytest.raises(accounts.AccountClosedAlreadyError):
            close(account)
        with pytest.raises(adapters.AccountClosedError):
            adapters.venue_client(account.pk)
        assert connect(ada).label == "Main"

    def test_an_app_above_may_refuse(self, ada, monkeypatch):
        class StillTradingError(ConflictError):
            code = "still_trading"

        def refuse(account):
            raise StillTradingError

        monkeypatch.setattr(accounts, "_closing_checks", [])
        accounts.ask_before_closing(refuse)
        account = connect(ada)

        with pytest.raises(StillTradingError):
            close(account)

        assert reread(account).closed_at is None


class TestTheFactory:
    def test_only_a_process_with_the_private_ring_makes_clients_with_keys(self, ada, settings):
        factory.make_venue("simulator", takes_live_accounts=True)
        account = connect(ada, venue_code="simulator")
        settings.API_ENCRYPTION_KEY = ""

        with pytest.raises(adapters.CredentialUnavailableError, match="secrets_unavailable"):
            adapters.venue_client(account.pk)

    def test_keys_that_were_moved_to_another_account_make_no_client(self, ada):
        factory.make_venue("simulator", takes_live_accounts=True)
        mine = connect(ada, venue_code="simulator")
        other = connect(ada, venue_code="simulator", label="Other", api_key=NEW_KEY)
        stolen = Credential.objects.get(account=other)
        Credential.objects.filter(account=mine).update(
            sealed_api_key=stolen.sealed_api_key, sealed_secret=stolen.sealed_secret
        )

        with pytest.raises(adapters.CredentialUnavailableError, match="seal_broken"):
            adapters.venue_client(mine.pk)

    def test_no_client_is_made_inside_a_transaction(self, ada, venue):
        account = connect(ada)

        with transaction.atomic(), pytest.raises(RuntimeError, match="inside a transaction"):
            adapters.venue_client(account.pk)
        with transaction.atomic(), pytest.raises(RuntimeError, match="inside a transaction"):
            adapters.market_data(venue)

    def test_a_paper_client_knows_the_rules_of_the_venues_instruments(self, ada, venue):
        factory.make_instrument("BTC/USDT", venue=venue)
        account = accounts.ensure_paper_account(owner=ada, venue_code="memory", now=NOW)

        rules = asyncio.run(adapters.venue_client(account.pk).instruments())

        assert account.kind == AccountKind.PAPER
        assert [each.symbol for each in rules] == ["BTC/USDT"]
