"""Buying on pages: plans, the order, waiting for the payment, the history and the receipt."""

import re
from uuid import UUID, uuid4

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from billing.models import Payment
from billing.services import checkout
from tests.billing.buying import buy, charge_of, deliver_all, give_back, make_price, order
from tests.factories.accounts import make_person

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


@pytest.fixture
def person(client):
    person = make_person()
    client.force_login(person)
    return person


def ordered(client, price) -> Payment:
    """Order by the page, as a person does."""
    address = f"{reverse('billing:checkout')}?price={price.public_id}"
    page = client.get(address).content.decode()
    key = re.search(r'name="request_key" value="([^"]+)"', page)
    action = re.search(r'action="([^"]+price=[^"]+)"', page)
    assert key is not None
    assert action is not None
    answer = client.post(action[1], {"request_key": key[1]})
    payment = Payment.objects.latest("pk")
    assert answer.url == f"{reverse('billing:payment', args=[payment.public_id])}?go=1"
    checkout.open_checkout(payment_id=payment.pk, now=timezone.now())
    payment.refresh_from_db()
    return payment


class TestBuying:
    def test_from_the_plans_to_the_receipt(self, client, person):
        price = make_price(amount="29")
        assert f"price={price.public_id}" in client.get(reverse("billing:plans")).content.decode()

        payment = ordered(client, price)
        page = reverse("billing:payment", args=[payment.public_id])
        onward = client.get(f"{page}?go=1&version=CREATED", headers=HTMX)
        bank = onward.headers["HX-Redirect"]
        back = client.post(bank, {"deed": "pay"})
        deliver_all(now=timezone.now())

        assert back.url == page
        assert "is yours" in client.get(page).content.decode()
        receipt = client.get(reverse("billing:receipt", args=[payment.public_id]))
        payment.refresh_from_db()
        assert payment.receipt_number in receipt.content.decode()

    def test_what_the_browser_says_about_the_price_is_not_heard(self, client, person):
        price = make_price(amount="29")
        address = f"{reverse('billing:checkout')}?price={price.public_id}"

        client.post(
            address,
            {"request_key": uuid4(), "amount": "0.01", "currency": "JPY", "months": "24"},
        )

        payment = Payment.objects.get()
        assert (payment.amount, payment.currency, payment.interval) == (29, "USD", "MONTH")

    def test_the_same_form_twice_is_one_order(self, client, person):
        address = f"{reverse('billing:checkout')}?price={make_price().public_id}"
        key = uuid4()

        answers = {client.post(address, {"request_key": key}).url for _ in range(3)}

        assert len(answers) == 1
        assert Payment.objects.count() == 1

    @pytest.mark.parametrize("query", ["", "?price=", "?price=nonsense", f"?price={UUID(int=1)}"])
    def test_a_price_that_is_not_on_offer_leads_to_the_plans(self, client, person, query):
        for answer in (
            client.get(f"{reverse('billing:checkout')}{query}"),
            client.post(f"{reverse('billing:checkout')}{query}", {"request_key": uuid4()}),
        ):
            assert answer.url == reverse("billing:plans")
        assert not Payment.objects.exists()

    def test_an_order_without_its_key_is_not_taken(self, client, person):
        address = f"{reverse('billing:checkout')}?price={make_price().public_id}"

        assert client.post(address, {"request_key": "x"}).url == reverse("billing:plans")
        assert not Payment.objects.exists()

    def test_who_keeps_a_price_orders_at_it_from_the_present_one(self, client, person):
        buy(person, make_price(amount="29"), now=timezone.now())
        new = make_price(amount="39")

        payment = ordered(client, new)

        assert payment.amount == 29

    def test_where_nothing_is_sold_the_page_says_so(self, client, person, settings):
        price = make_price()
        settings.PAYMENT_PROVIDER = "none"

        page = client.get(f"{reverse('billing:checkout')}?price={price.public_id}")

        assert "Nothing is sold here" in page.content.decode()


class TestWaiting:
    def test_nothing_new_is_no_content(self, client, person):
        payment = order(person, make_price())
        page = reverse("billing:payment", args=[payment.public_id])

        assert client.get(f"{page}?version=PENDING%2B", headers=HTMX).status_code == 204
        changed = client.get(f"{page}?version=CREATED", headers=HTMX)
        assert "Go to the payment" in changed.content.decode()
        assert "HX-Redirect" not in changed.headers

    def test_who_comes_back_without_paying_is_told(self, client, person):
        payment = order(person, make_price())
        charge = charge_of(payment)
        bank = client.get(payment.checkout_url).content.decode()

        assert charge.description in bank
        page = client.get(f"{reverse('billing:payment', args=[payment.public_id])}?canceled=1")
        assert "You have not paid." in page.content.decode()

    @pytest.mark.parametrize(
        ("deed", "words"),
        [("delay", "We wait for"), ("decline", "The payment did not go through.")],
    )
    def test_each_outcome_is_told(self, client, person, deed, words):
        payment = order(person, make_price())
        client.post(payment.checkout_url, {"deed": deed})
        deliver_all(now=timezone.now())

        page = client.get(reverse("billing:payment", args=[payment.public_id]))

        assert words in page.content.decode()

    def test_a_deed_that_the_bank_does_not_know_is_not_found(self, client, person):
        payment = order(person, make_price())

        assert client.post(payment.checkout_url, {"deed": "steal"}).status_code == 404

    def test_what_is_paid_is_not_paid_again(self, client, person):
        payment = buy(person)

        answer = client.post(payment.checkout_url, {"deed": "pay"}, follow=True)

        assert "has been dealt with already" in answer.content.decode()

    def test_the_bank_is_not_there_where_it_is_not_chosen(self, client, person, settings):
        payment = order(person, make_price())
        settings.PAYMENT_PROVIDERS = []

        assert client.get(payment.checkout_url).status_code == 404


class TestHistory:
    def test_nothing_yet(self, client, person):
        assert "Nothing bought yet" in client.get(reverse("billing:payments")).content.decode()

    def test_many_are_paged_with_few_queries(self, client, person, django_assert_max_num_queries):
        price = make_price()
        for _ in range(19):
            order(person, price)
        give_back(buy(person, price), "9")

        with django_assert_max_num_queries(12):
            page = client.get(reverse("billing:payments")).content.decode()

        assert page.count("one month") == 20
        assert "given back" in page

    def test_an_unpaid_order_has_no_receipt(self, client, person):
        payment = order(person, make_price())

        answer = client.get(reverse("billing:receipt", args=[payment.public_id]))

        assert answer.status_code == 404


def test_strangers_see_plans_and_prices():
    make_price(amount="29")

    page = Client().get(reverse("billing:plans")).content.decode()

    assert "29.00" in page
    assert "Create an account" in page
