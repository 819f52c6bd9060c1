"""What goes over the wire when something is wrong: one shape, stable codes, nothing internal."""

import json

import pytest
from rest_framework.exceptions import ParseError, ValidationError
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from foundation.http import PROBLEM_CONTENT_TYPE
from market.errors import ConflictError, FieldProblem, InvalidInputError


class Echo(APIView):
    authentication_classes = ()
    permission_classes = ()

    def post(self, request):
        if "fail" in request.data:
            raise request.data_errors[request.data["fail"]]
        return


def post(body, error=None, content_type="application/json"):
    class View(Echo):
        def post(self, request):
            _ = request.data
            raise error

    response = View.as_view()(
        APIRequestFactory().generic("POST", "/api/v1/x", body, content_type=content_type)
    )
    response.accepted_renderer.charset = None
    response.render()
    return response


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "invalid_json"),
        (b'{"a": 1, "a": 2}', 400, "duplicate_key"),
        (b'{"a": NaN}', 400, "not_a_finite_number"),
        (b'{"a": -Infinity}', 400, "not_a_finite_number"),
        (b"[" * 30 + b"]" * 30, 400, "too_deep"),
        (b"[" * 100_000, 400, "too_deep"),
        (b"\xff\xfe", 400, "invalid_json"),
    ],
)
def test_a_body_that_cannot_be_read_is_a_coded_problem(body, status, code):
    response = post(body, error=ConflictError("never reached"))

    assert response.status_code == status
    assert response["Content-Type"] == PROBLEM_CONTENT_TYPE
    assert json.loads(response.content)["code"] == code


def test_a_wrong_content_type_is_refused():
    response = post(b"a=1", error=ConflictError(), content_type="application/x-www-form-urlencoded")

    assert response.status_code == 415
    assert json.loads(response.content)["code"] == "unsupported_media_type"


def test_an_expected_failure_carries_its_code_and_all_fields():
    error = InvalidInputError(
        "Two things are wrong.", problems=[FieldProblem("a", "required", "Give a.")]
    )

    body = json.loads(post(b"{}", error=error).content)

    assert body["status"] == 400
    assert body["code"] == "invalid_input"
    assert body["detail"] == "Two things are wrong."
    assert body["errors"] == [{"field": "a", "code": "required", "message": "Give a."}]


def test_nested_validation_errors_become_one_flat_list():
    error = ValidationError({"outer": {"inner": ["Wrong."]}, "plain": ["One.", "Two."]})

    errors = json.loads(post(b"{}", error=error).content)["errors"]

    assert [problem["field"] for problem in errors] == ["outer.inner", "plain", "plain"]


def test_a_parse_error_of_the_framework_is_invalid_json():
    assert json.loads(post(b"{}", error=ParseError()).content)["code"] == "invalid_json"
