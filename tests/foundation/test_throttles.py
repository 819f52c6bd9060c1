"""Limits on calls: whom they count, what they answer, and what stays open without Redis."""

import pytest
from django.core.cache import cache
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory, force_authenticate
from rest_framework.views import APIView

from foundation.rates import Rate
from foundation.scopes import ANYBODY, Grant
from tests.factories.accounts import make_person

#: Long enough that no test meets the end of a span.
_DAY = 86_400


class Things(APIView):
    required_scope = ANYBODY
    throttle_buckets = {"PUT": ("write", "trade")}

    def get(self, request):
        return Response({})

    def post(self, request):
        return Response({})

    def put(self, request):
        return Response({})


@pytest.fixture(autouse=True)
def _limits(settings):
    settings.API_RATES = {
        "read": Rate(3, _DAY),
        "write": Rate(2, _DAY),
        "trade": Rate(1, _DAY, is_closed_without_counters=True),
    }
    cache.clear()


def call(method="get", person=None, grant=None, address="192.0.2.1"):
    request = getattr(APIRequestFactory(), method)("/api/v1/things", REMOTE_ADDR=address)
    if person is not None:
        force_authenticate(request, person, token=grant)
    response = Things.as_view()(request)
    response.render()
    return response


def statuses(count, *arguments, **options):
    return [call(*arguments, **options).status_code for _ in range(count)]


class TestCounting:
    def test_beyond_the_limit_it_is_said_when_to_come_back(self):
        assert statuses(3) == [200] * 3

        response = call()

        assert (response.status_code, response.data["code"]) == (429, "rate_limited")
        assert 0 < int(response["Retry-After"]) <= _DAY
        assert response["Retry-After"] in response.data["detail"]

    def test_reading_and_writing_count_apart(self):
        assert statuses(3) == [200] * 3
        assert statuses(3, "post") == [200, 200, 429]

    def test_a_view_names_further_limits(self):
        assert statuses(2, "put") == [200, 429]

    def test_strangers_count_by_address(self):
        assert statuses(4) == [200, 200, 200, 429]
        assert call(address="192.0.2.2").status_code == 200

    @pytest.mark.django_db
    def test_people_count_wherever_they_are_and_each_token_by_itself(self):
        person = make_person()

        assert statuses(3, person=person) == [200] * 3
        assert call(person=person, address="192.0.2.2").status_code == 429
        assert call(person=make_person("bea@example.com")).status_code == 200
        assert call(person=person, grant=Grant("7", frozenset())).status_code == 200


class TestWithoutRedis:
    @pytest.fixture(autouse=True)
    def _no_redis(self, settings):
        settings.CACHES = {
            "default": {
                "BACKEND": "django.core.cache.backends.redis.RedisCache",
                "LOCATION": "redis://127.0.0.1:1/0",
            }
        }

    def test_what_harms_nobody_stays_open(self):
        assert statuses(5) == [200] * 5

    def test_what_needs_its_guard_is_closed(self):
        response = call("put")

        assert (response.status_code, response.data["code"]) == (503, "unavailable")
        assert response["Retry-After"] == "30"
