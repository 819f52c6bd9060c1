"""Errors and input on the wire: RFC 9457 problems, strict JSON, fragments, actors."""

import json
import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, cast

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404, HttpRequest
from django.utils.http import parse_header_parameters
from rest_framework import authentication, exceptions, parsers
from rest_framework.request import Request
from rest_framework.response import Response

from foundation.audit import Actor
from market.errors import FieldProblem, PlatformError

logger = logging.getLogger(__name__)

PROBLEM_CONTENT_TYPE = "application/problem+json"
#: What a 401 asks for.
AUTHENTICATE = 'Bearer realm="api"'
_MAXIMUM_DEPTH = 20
_CHARSETS = frozenset({"", "utf-8", "utf8"})

#: What the framework's own refusals are called on our wire.
_FRAMEWORK_CODES: dict[type[exceptions.APIException], str] = {
    exceptions.ParseError: "invalid_json",
    exceptions.NotAuthenticated: "not_authenticated",
    exceptions.AuthenticationFailed: "not_authenticated",
    exceptions.PermissionDenied: "forbidden",
    exceptions.NotFound: "not_found",
    exceptions.MethodNotAllowed: "method_not_allowed",
    exceptions.UnsupportedMediaType: "unsupported_media_type",
    exceptions.NotAcceptable: "not_acceptable",
    exceptions.Throttled: "rate_limited",
}


class NotAuthenticatedError(PlatformError):
    """The request does not say who sends it, or not in a way that we take."""

    code = "not_authenticated"
    status = 401
    title = "Not signed in"


class SessionAuthentication(authentication.SessionAuthentication):
    """Sessions, answering 401 (not 403) to a stranger."""

    def authenticate_header(self, request: Request) -> str:
        """Name the scheme, which makes the framework answer 401."""
        return AUTHENTICATE


class BodyTooLargeError(PlatformError):
    """The body is larger than any request of ours."""

    code = "body_too_large"
    status = 413
    title = "The body is too large"

    def __init__(self, limit: int) -> None:
        super().__init__(f"A body has at most {limit:,} bytes.")


class StrictJSONParser(parsers.JSONParser):
    """JSON without duplicate keys, NaN, Infinity or absurd depth."""

    def parse(
        self,
        stream: Any,
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return the decoded body; raise ParseError with what is wrong and where."""
        if _charset_of(media_type) not in _CHARSETS:
            raise exceptions.UnsupportedMediaType(str(media_type)[:80])
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise BodyTooLargeError(limit)
        try:
            value = json.loads(
                body.decode("utf-8"),
                object_pairs_hook=_unique,
                parse_constant=_refuse_constant,
                parse_float=_finite,
            )
        except RecursionError:
            raise exceptions.ParseError("The body is nested too deeply.", "too_deep") from None
        except UnicodeDecodeError:
            raise exceptions.ParseError("The body is not valid UTF-8.", "invalid_json") from None
        except json.JSONDecodeError as error:
            raise exceptions.ParseError(
                f"Body is not valid JSON: {error.msg} at line {error.lineno} column {error.colno}.",
                "invalid_json",
            ) from None
        if _depth(value) > _MAXIMUM_DEPTH:
            raise exceptions.ParseError(
                f"The body is nested deeper than {_MAXIMUM_DEPTH}.", "too_deep"
            )
        return value


def problem_response(
    *,
    code: str,
    status: int,
    title: str,
    detail: str,
    problems: Sequence[FieldProblem] = (),
    request_id: str = "",
) -> Response:
    """Return an RFC 9457 problem."""
    body: dict[str, Any] = {
        "type": f"urn:problem:{code}",
        "title": title,
        "status": status,
        "code": code,
        "detail": detail,
        "request_id": request_id,
    }
    if problems:
        body["errors"] = [
            {"field": p.field, "code": p.code, "message": p.message} for p in problems
        ]
    return Response(body, status=status, content_type=PROBLEM_CONTENT_TYPE)


def problem_handler(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """Turn an expected failure into a problem; None lets a bug become a 500."""
    request = context.get("request")
    request_id = request.META.get("REQUEST_ID", "") if request is not None else ""
    if isinstance(error, RequestDataTooBig):
        error = BodyTooLargeError(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
    elif isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    if isinstance(error, PlatformError):
        return _platform_problem(error, request_id)
    if not isinstance(error, exceptions.APIException):
        return None
    response = _framework_problem(error, request_id)
    if error.status_code == 401:
        response["WWW-Authenticate"] = getattr(error, "auth_header", AUTHENTICATE)
    return response


def _platform_problem(error: PlatformError, request_id: str) -> Response:
    response = problem_response(
        code=error.code,
        status=error.status,
        title=error.title,
        detail=error.message,
        problems=error.problems,
        request_id=request_id,
    )
    retry_after_s: int | None = getattr(error, "retry_after_s", None)
    if retry_after_s is not None:
        response["Retry-After"] = str(retry_after_s)
    if error.status == 401:
        response["WWW-Authenticate"] = AUTHENTICATE
    return response


def _framework_problem(error: exceptions.APIException, request_id: str) -> Response:
    if isinstance(error, exceptions.ValidationError):
        return problem_response(
            code="invalid_input",
            status=400,
            title="The input is not valid",
            detail="Some fields are not valid; see errors.",
            problems=_problems(error.detail),
            request_id=request_id,
        )
    code = getattr(error.detail, "code", None)
    if code in {None, "parse_error", "error"} or type(error) is not exceptions.ParseError:
        code = _FRAMEWORK_CODES.get(type(error), "error")
    return problem_response(
        code=str(code),
        status=error.status_code,
        title=str(error.default_detail),
        detail=str(error.detail),
        request_id=request_id,
    )


def _problems(detail: Any, prefix: str = "") -> list[FieldProblem]:
    """Flatten the framework's nested error detail into one list with dotted field names."""
    if isinstance(detail, Mapping):
        return [
            problem
            for key, value in detail.items()
            for problem in _problems(value, f"{prefix}.{key}" if prefix else str(key))
        ]
    if isinstance(detail, list):
        return [
            problem
            for index, value in enumerate(detail)
            for problem in _problems(
                value,
                f"{prefix}.{index}"
                if isinstance(value, Mapping | list) and len(detail) > 1
                else prefix,
            )
        ]
    return [FieldProblem(prefix, getattr(detail, "code", "invalid"), str(detail))]


def is_fragment(request: HttpRequest) -> bool:
    """Tell whether htmx asks for a part of a page."""
    return (
        request.headers.get("HX-Request") == "true" and request.headers.get("HX-Boosted") != "true"
    )


def address_of(request: HttpRequest | Request) -> str | None:
    """Return the network address of the caller as the accounts library sees it, trusted proxies considered."""
    try:
        address: str = get_adapter().get_client_ip(request)
    except PermissionDenied:
        # A socket of this machine has none.
        return None
    return address


def actor_of(request: HttpRequest | Request) -> Actor:
    """Return the signed-in person as an actor."""
    return Actor.person(cast(int, request.user.pk))


def _charset_of(media_type: str | None) -> str:
    _, parameters = parse_header_parameters(media_type or "")
    return str(parameters.get("charset", "")).lower()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise exceptions.ParseError(f"Key '{key[:40]}' appears twice.", "duplicate_key")
        result[key] = value
    return result


def _refuse_constant(name: str) -> NoReturn:
    raise exceptions.ParseError(f"{name} is not a finite number.", "not_a_finite_number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        _refuse_constant(text[:40])
    return value


def _depth(value: Any, level: int = 1) -> int:
    if level > _MAXIMUM_DEPTH:
        return level
    if isinstance(value, dict):
        return max((_depth(child, level + 1) for child in value.values()), default=level)
    if isinstance(value, list):
        return max((_depth(child, level + 1) for child in value), default=level)
    return level
