"""The books: what goes in, what is refused and by whom, and what they say."""

from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from billing.domain.accounts import AccountCode
from billing.models import LedgerCheck, LedgerEntry, LedgerPosting
from billing.selectors.ledger import balance, trial_balance, violations
from billing.services import ledger, ledger_checks
from billing.services.ledger import Line, UnbalancedEntryError
from tests.billing.races import together
from tests.factories.accounts import make_person

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
A, B = AccountCode.PROCESSOR_CLEARING, AccountCode.DEFERRED_REVENUE


def post(
    source_id: str = "1",
    *lines: Line,
    amount: str = "100",
    currency: str = "USD",
    kind: str = "settled",
    reverses: LedgerEntry | None = None,
) -> LedgerEntry:
    """Write an entry in a transaction of its own."""
    with transaction.atomic():
        return ledger.post(
            source="tests",
            source_id=source_id,
            kind=kind,
            currency=currency,
            lines=lines or (Line(A, Decimal(amount)), Line(B, -Decimal(amount))),
            occurred_at=NOW,
            reverses=reverses,
        )


def run(sql: str) -> None:
    """Send SQL as somebody would who goes around the code; deferred checks run at once."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


@pytest.mark.django_db
class TestPost:
    def test_an_entry_moves_balances_by_the_natural_signs(self):
        post(amount="100")

        assert balance(account=A, currency="USD") == 100
        assert balance(account=B, currency="USD") == 100
        assert balance(account=A, currency="EUR") == 0

    def test_the_same_cause_again_returns_the_first_entry(self):
        first = post("7", amount="100")
        again = post("7", amount="999")

        assert again == first
        assert balance(account=A, currency="USD") == 100

    @pytest.mark.parametrize(
        "lines",
        [
            (),
            (Line(A, Decimal(1)),),
            (Line(A, Decimal(1)), Line(B, Decimal("-0.99"))),
            (Line(A, Decimal(0)), Line(B, Decimal(0))),
            (Line(A, Decimal("1e-19")), Line(B, Decimal("-1e-19"))),
            (Line(AccountCode.COMMISSION_PENDING, Decimal(1)), Line(B, Decimal(-1))),
            (Line(A, Decimal(1), owner_id=1), Line(B, Decimal(-1))),
        ],
        ids=["none", "one", "unbalanced", "zero", "too-fine", "ownerless", "owned"],
    )
    def test_what_is_no_entry_is_refused_before_it_is_sent(self, lines):
        with pytest.raises(UnbalancedEntryError), transaction.atomic():
            ledger.post(
                source="tests",
                source_id="1",
                kind="bad",
                currency="USD",
                lines=lines,
                occurred_at=NOW,
            )

        assert not LedgerEntry.objects.exists()

    def test_it_wants_a_transaction(self):
        with pytest.raises(RuntimeError):
            ledger.post(
                source="tests", source_id="1", kind="x", currency="USD", lines=(), occurred_at=NOW
            )

    def test_personal_accounts_are_kept_apart_and_summed(self):
        ada, ben = make_person(), make_person("ben@example.com")
        for person, amount in ((ada, "3"), (ben, "4")):
            post(
                f"c{person.pk}",
                Line(AccountCode.COMMISSION_EXPENSE, Decimal(amount)),
                Line(AccountCode.COMMISSION_PENDING, -Decimal(amount), owner_id=person.pk),
            )

        pending = AccountCode.COMMISSION_PENDING
        assert balance(account=pending, currency="USD", owner_id=ada.pk) == 3
        assert balance(account=pending, currency="USD", owner_id=ben.pk) == 4
        assert balance(account=pending, currency="USD") == 7

    def test_an_entry_is_reversed_once(self):
        first = post("1")
        mirrored = (Line(A, Decimal(-100)), Line(B, Decimal(100)))
        post("1", *mirrored, kind="reversed", reverses=first)

        with pytest.raises(IntegrityError):
            post("1", *mirrored, kind="reversed-again", reverses=first)


@pytest.mark.django_db
class TestDatabase:
    """What the database refuses by itself, whoever asks."""

    @pytest.fixture
    def entry(self) -> LedgerEntry:
        return post()

    def insert(self, *lines: tuple[str, str, int], wanted: int | None = None) -> None:
        post("open EUR", currency="EUR")
        values = ", ".join(
            f"((SELECT id FROM e), (SELECT id FROM billing_ledgeraccount "
            f"WHERE code = '{code}' AND currency = '{currency}'), '{currency}', {amount})"
            for code, currency, amount in lines
        )
        run(
            "WITH e AS (INSERT INTO billing_ledgerentry "
            "(source, source_id, kind, lines, memo, occurred_at) "
            f"VALUES ('raw', '1', 'x', {wanted or len(lines)}, '', now()) RETURNING id) "
            f"INSERT INTO billing_ledgerposting (entry_id, account_id, currency, amount) VALUES {values}"
        )

    def test_a_balanced_entry_is_taken(self, entry):
        self.insert(("processor_clearing", "USD", 5), ("deferred_revenue", "USD", -5))

        assert balance(account=A, currency="USD") == 105

    @pytest.mark.parametrize(
        ("lines", "wanted"),
        [
            ([("processor_clearing", "USD", 5), ("deferred_revenue", "USD", -4)], None),
            ([("processor_clearing", "EUR", 10), ("deferred_revenue", "USD", -10)], None),
            ([("processor_clearing", "USD", 5)], None),
            ([("processor_clearing", "USD", 5), ("deferred_revenue", "USD", -5)], 3),
            ([("processor_clearing", "USD", 0), ("deferred_revenue", "USD", 0)], None),
        ],
        ids=["unbalanced", "across-currencies", "one-line", "line-missing", "zero"],
    )
    def test_a_bad_entry_is_refused(self, entry, lines, wanted):
        with pytest.raises(DatabaseError):
            self.insert(*lines, wanted=wanted)

    def test_an_entry_without_postings_is_refused(self):
        with pytest.raises(DatabaseError, match="0 postings instead of 2"):
            run(
                "INSERT INTO billing_ledgerentry "
                "(source, source_id, kind, lines, memo, occurred_at) "
                "VALUES ('raw', '1', 'x', 2, '', now())"
            )

    def test_postings_cannot_be_added_later(self, entry):
        with pytest.raises(DatabaseError, match="4 postings instead of 2"):
            run(
                "INSERT INTO billing_ledgerposting (entry_id, account_id, currency, amount) "
                "SELECT entry_id, account_id, currency, amount FROM billing_ledgerposting"
            )

    def test_a_posting_has_the_currency_of_its_account(self, entry):
        with pytest.raises(DatabaseError, match="posting_in_currency_of_account"):
            run(
                "INSERT INTO billing_ledgerposting (entry_id, account_id, currency, amount) "
                "SELECT entry_id, account_id, 'EUR', amount FROM billing_ledgerposting"
            )

    @pytest.mark.parametrize(
        "sql",
        [
            "UPDATE billing_ledgerposting SET amount = amount * 2",
            "UPDATE billing_ledgerentry SET memo = 'changed'",
            "UPDATE billing_ledgeraccount SET kind = 'INCOME'",
            "DELETE FROM billing_ledgerposting",
            "DELETE FROM billing_ledgerentry",
        ],
    )
    def test_nothing_is_changed_or_deleted(self, entry, sql):
        with pytest.raises(DatabaseError):
            run(sql)

    @pytest.mark.parametrize("table", ["ledgerposting", "ledgerentry", "ledgeraccount"])
    def test_nothing_is_truncated(self, table):
        with (
            pytest.raises(DatabaseError, match="append-only"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute("SET LOCAL pgtrigger.ignore = '{}'")
            cursor.execute(f"TRUNCATE billing_{table} CASCADE")


@pytest.mark.django_db(transaction=True)
def test_one_cause_at_the_same_time_is_one_entry():
    results = together([post] * 8)

    assert len({entry.pk for entry in results}) == 1
    assert LedgerPosting.objects.count() == 2


amounts = st.decimals("0.01", "1000000", places=2)


class TestProperties(TestCase):
    """Whatever is posted, the books balance."""

    @settings(max_examples=25)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["USD", "EUR", "JPY"]),
                st.lists(amounts, min_size=1, max_size=4),
                st.booleans(),
            ),
            max_size=6,
        )
    )
    def test_any_entries_sum_to_zero_and_a_reversal_undoes_one(self, wanted):
        for number, (currency, parts, is_reversed) in enumerate(wanted):
            lines = [Line(A, part) for part in parts]
            lines.append(Line(B, -sum(parts, Decimal(0))))
            before = balance(account=A, currency=currency)
            entry = post(str(number), *lines, currency=currency)
            assert balance(account=A, currency=currency) == before + sum(parts)
            if is_reversed:
                mirrored = [Line(line.account, -line.amount) for line in lines]
                post(str(number), *mirrored, currency=currency, kind="reversed", reverses=entry)
                assert balance(account=A, currency=currency) == before

        assert trial_balance().is_balanced
        assert violations() == []


@pytest.mark.django_db
class TestVerify:
    def test_books_in_order_are_told_and_kept(self):
        post()
        out = StringIO()

        call_command("verify_ledger", stdout=out)

        assert "The books balance." in out.getvalue()
        assert LedgerCheck.objects.get().violations == []

    def test_every_violation_is_printed_logged_and_kept(self, caplog):
        post("1")
        post("2", amount="50")
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            # What an operator with the keys of the database could do behind its back.
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute("UPDATE billing_ledgerposting SET amount = 99 WHERE amount = 100")
            cursor.execute("DELETE FROM billing_ledgerposting WHERE amount = -50")
            cursor.execute("SET LOCAL session_replication_role = origin")
        errors = StringIO()

        with pytest.raises(SystemExit) as exit_status:
            call_command("verify_ledger", stderr=errors)

        assert exit_status.value.code == 1
        assert "USD: debits and credits differ by 49." in errors.getvalue()
        assert "unbalanced by -1 USD" in errors.getvalue()
        assert "has 1 postings instead of 2" in errors.getvalue()
        assert len(LedgerCheck.objects.get().violations) == 4
        assert caplog.text.count("ledger.violation") == 4

    def test_two_comparisons_are_two_rows(self):
        ledger_checks.verify(now=NOW)
        ledger_checks.verify(now=NOW.replace(hour=13))

        assert LedgerCheck.objects.count() == 2
