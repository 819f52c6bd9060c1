"""Requests that must happen once: keys, stored answers, and processes that died in between."""

import json
import threading
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import connection
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory, force_authenticate
from rest_framework.views import APIView

from foundation import idempotency
from foundation.models import IdempotentRequest
from market.errors import ConflictError
from tests.factories.accounts import make_person

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEY = "0b1f3a52-9c1e-4d0f-8a77-3f1c5b1b7a10"


class Work:
    """Counts how often it is done, and fails while it is told to."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.fails = False

    def __call__(self, key: str) -> Response:
        self.keys.append(key)
        if self.fails:
            raise ConflictError("Not now.")
        return Response({"id": uuid4(), "at": NOW}, status=201, headers={"Location": "/things/1"})


def send(person, work, key=KEY, body=None, now=NOW, path="/api/v1/things", is_required=True):
    class Things(APIView):
        permission_classes = ()
        throttle_classes = ()

        def post(self, request):
            return idempotency.answer_once(request, work, now=now, is_required=is_required)

    headers = {"Idempotency-Key": key} if key is not None else {}
    request = APIRequestFactory().post(path, body or {"a": 1}, format="json", headers=headers)
    force_authenticate(request, person)
    response = Things.as_view()(request)
    response.render()
    return response


def told(response) -> tuple[int, str]:
    return response.status_code, response.data["code"]


@pytest.fixture
def person(db):
    return make_person()


@pytest.fixture
def work() -> Work:
    return Work()


class TestKeys:
    def test_the_same_request_gets_the_same_answer(self, person, work):
        first, again = send(person, work), send(person, work)

        assert json.loads(first.content) == json.loads(again.content)
        assert (again.status_code, again["Location"]) == (201, "/things/1")
        assert (first.get("Idempotency-Replayed"), again["Idempotency-Replayed"]) == (None, "true")
        assert work.keys == [KEY]

    def test_the_order_of_names_in_the_body_means_nothing(self, person, work):
        send(person, work, body={"a": 1, "b": 2})

        assert send(person, work, body={"b": 2, "a": 1}).status_code == 201
        assert len(work.keys) == 1

    def test_another_body_is_refused(self, person, work):
        send(person, work)

        assert told(send(person, work, body={"a": 2})) == (422, "idempotency_key_reused")
        assert len(work.keys) == 1

    def test_a_key_counts_for_one_person_and_one_address(self, person, work):
        send(person, work)
        send(make_person("bea@example.com"), work)
        send(person, work, path="/api/v1/others")

        assert len(work.keys) == 3

    @pytest.mark.parametrize(
        "key", ["one", "0", "{" + KEY + "}", KEY.replace("-", ""), KEY + "0", "urn:uuid:" + KEY]
    )
    def test_what_is_no_uuid_is_refused(self, person, work, key):
        assert told(send(person, work, key=key)) == (400, "invalid_idempotency_key")
        assert work.keys == []

    def test_a_key_may_be_needed_or_not(self, person, work):
        assert told(send(person, work, key=None)) == (400, "idempotency_key_required")
        assert send(person, work, key=None, is_required=False).status_code == 201
        assert work.keys == [""]


class TestWhatGoesWrong:
    def test_a_failure_is_not_kept(self, person, work):
        work.fails = True
        assert send(person, work).status_code == 409
        work.fails = False

        assert send(person, work).status_code == 201
        assert len(work.keys) == 2

    def test_while_it_is_worked_on_a_repeat_waits(self, person, work):
        answers = []

        def slow(key: str) -> Response:
            answers.append(send(person, work))
            response: Response = work(key)
            return response

        assert send(person, slow).status_code == 201
        assert told(answers[0]) == (409, "request_in_progress")
        assert answers[0]["Retry-After"] == "1"
        assert len(work.keys) == 1

    def test_a_process_that_died_is_taken_over_after_a_minute(self, person, work):
        send(person, work)
        IdempotentRequest.objects.update(answered_at=None, answer=None, status_code=None)

        soon = send(person, work, now=NOW + timedelta(seconds=59))
        later = send(person, work, now=NOW + timedelta(seconds=61))

        assert told(soon) == (409, "request_in_progress")
        assert later.status_code == 201
        assert work.keys == [KEY, KEY]

    def test_after_a_day_a_key_is_new_again(self, person, work):
        send(person, work)

        response = send(person, work, body={"a": 2}, now=NOW + timedelta(hours=25))

        assert response.status_code == 201
        assert len(work.keys) == 2

    def test_old_answers_are_swept(self, person, work):
        send(person, work)

        assert idempotency.forget_old(now=NOW + timedelta(hours=23)) == 0
        assert idempotency.forget_old(now=NOW + timedelta(hours=25)) == 1
        assert not IdempotentRequest.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_of_eight_at_the_same_moment_one_works():
    person, work = make_person(), Work()
    barrier, answers = threading.Barrier(8), []

    def ask() -> None:
        barrier.wait()
        try:
            answers.append(send(person, work).status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(work.keys) == 1
    assert set(answers) <= {201, 409}
    assert 201 in answers
