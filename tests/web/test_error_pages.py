"""What a person sees when something goes wrong."""

import pytest
from django.test import Client

from web.views import errors

HOSTILE = "/no<script>where/"


def test_a_server_error_needs_no_database(rf):
    # This test may not touch the database: the suite refuses it.
    request = rf.get("/dashboard/")
    request.META["REQUEST_ID"] = "4f1c"

    response = errors.server_error(request)

    assert response.status_code == 500
    assert "4f1c" in response.content.decode()


@pytest.mark.parametrize(
    ("view", "status"),
    [
        (errors.bad_request, 400),
        (errors.permission_denied, 403),
        (errors.csrf_failure, 403),
        (errors.not_found, 404),
    ],
)
def test_every_error_has_a_page_with_a_way_on(rf, view, status):
    response = view(rf.get("/"))

    assert response.status_code == status
    assert 'href="/"' in response.content.decode()


@pytest.mark.django_db
def test_an_unknown_address_is_answered_without_repeating_it(client):
    response = client.get(HOSTILE)

    assert response.status_code == 404
    assert "<script>where" not in response.content.decode()


@pytest.mark.django_db
def test_a_bug_shows_no_detail(settings, client):
    settings.ROOT_URLCONF = "tests.web.showcase"
    quiet = Client(raise_request_exception=False)

    response = quiet.get("/showcase/bug/")

    assert response.status_code == 500
    assert "secret detail" not in response.content.decode()
