"""How the API describes itself: every address with its input, its answers, its problems and its scope."""

from collections.abc import Mapping, Sequence
from inspect import cleandoc
from typing import Any, Final, cast

from drf_spectacular.authentication import SessionScheme
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, inline_serializer
from rest_framework import serializers
from rest_framework.views import APIView

from foundation.idempotency import HEADER
from foundation.pagination import DEFAULT_LIMIT, MAXIMUM_LIMIT
from foundation.scopes import ANYBODY, PERSON, scope_of

#: RFC 9457, with a code for programs and the fields that are wrong.
_PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["type", "title", "status", "code", "detail", "request_id"],
    "properties": {
        "type": {"type": "string", "example": "urn:problem:invalid_input"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "Stable; made for programs."},
        "detail": {"type": "string", "description": "For a person: what happened, what to do."},
        "request_id": {"type": "string", "description": "Also in the header X-Request-ID."},
        "errors": {
            "type": "array",
            "description": "Every field that is wrong.",
            "items": {
                "type": "object",
                "required": ["field", "code", "message"],
                "properties": {
                    "field": {"type": "string"},
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                },
            },
        },
    },
}

_PROBLEMS: Final = {
    "400": "The input is not valid.",
    "401": "Nobody is signed in, or the token is not valid or has expired.",
    "402": "The plan or the subscriptions do not include this.",
    "403": "The token lacks the scope.",
    "404": "There is no such thing, or it is somebody else's.",
    "409": "It cannot be done in the present state.",
    "412": "It has changed since you looked at it.",
    "422": "Well formed, and refused by a limit or a rule.",
    "429": "Too many requests; see Retry-After.",
    "503": "Not available at the moment; see Retry-After.",
}
_ALWAYS: Final = ("429",)

IDEMPOTENCY_KEY: Final = OpenApiParameter(
    HEADER,
    OpenApiTypes.UUID,
    OpenApiParameter.HEADER,
    required=True,
    description="A new UUID for each thing that you want done; a repeat gets the same answer for a day.",
)
OPTIONAL_IDEMPOTENCY_KEY: Final = OpenApiParameter(
    HEADER, OpenApiTypes.UUID, OpenApiParameter.HEADER, description=IDEMPOTENCY_KEY.description
)
PAGE: Final = [
    OpenApiParameter(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": MAXIMUM_LIMIT, "default": DEFAULT_LIMIT},
        description="How many at most.",
    ),
    OpenApiParameter("cursor", str, description="From “next” of the page before."),
]


def filter_by(
    name: str, description: str, *, values: Sequence[str] = (), form: str = ""
) -> OpenApiParameter:
    """Return the description of a filter; *values* are all it knows, *form* such as ``date-time``."""
    schema: dict[str, Any] = {"type": "string"}
    if values:
        schema["enum"] = list(values)
    if form:
        schema["format"] = form
    return OpenApiParameter(name, schema, description=description)


def page_of(item: type[serializers.Serializer[Any]]) -> serializers.Serializer[Any]:
    """Return the description of a page of *item*."""
    name = item.__name__.removesuffix("Serializer")
    fields = {
        "results": item(many=True),
        "next": serializers.URLField(allow_null=True, help_text="The next page; null at the end."),
    }
    return inline_serializer(f"{name}Page", cast(Any, fields))


class PageSessionScheme(SessionScheme):  # type: ignore[no-untyped-call]  # registers itself
    """The session of a page, for its own scripts."""

    target_class = "foundation.http.SessionAuthentication"


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # registers itself
    """Tokens, which the people's app knows how to read."""

    target_class = "accounts.api.authentication.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        """Return the scheme."""
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "An access token from /auth/tokens, or a personal token (pk_live_…).",
        }


class Schema(AutoSchema):
    """The library's description, with tags by resource, scopes in words and our problems."""

    def get_tags(self) -> list[str]:
        """Group by the first word after the version."""
        return [self.path.removeprefix("/api/v1/").split("/")[0]]

    def get_operation_id(self) -> str:
        """Name an operation after its view and method, such as ``deployments_post``."""
        namespace = self.path.removeprefix("/api/v1/")
        words = [
            word if not word.startswith("{") else "one"
            for word in namespace.replace(".", "/").replace("-", "_").split("/")
        ]
        return "_".join([*words, self.method.lower()])

    def get_summary(self) -> str | None:
        """Say in a line what the method does."""
        return self._text_of_method().partition("\n\n")[0] or None

    def get_description(self) -> str:  # type: ignore[override]  # as the library has it
        """Say what else there is to know, and what it asks of the caller."""
        _, _, more = self._text_of_method().partition("\n\n")
        return f"{more}\n\n{_sentence_on(self.view, self.method)}".strip()

    def _text_of_method(self) -> str:
        method = getattr(self.view, self.method.lower(), None)
        return cleandoc(getattr(method, "__doc__", None) or self.view.__doc__ or "")

    def get_auth(self) -> list[dict[str, Any]]:
        """Ask for nothing where everybody may come."""
        if scope_of(self.view, self.method) == ANYBODY:
            return [{}]
        auth: list[dict[str, Any]] = super().get_auth()
        return auth

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        """Add the problems that the view can answer."""
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        if operation is not None:
            for status in self._problem_statuses():
                operation["responses"].setdefault(status, _problem(status))
            operation["responses"] = dict(sorted(operation["responses"].items()))
        return operation

    def _problem_statuses(self) -> list[str]:
        named: Mapping[str, Sequence[int]] = getattr(self.view, "problem_statuses", {})
        statuses = {str(status) for status in named.get(self.method, ())} | set(_ALWAYS)
        if scope_of(self.view, self.method) != ANYBODY:
            statuses |= {"401", "403"}
        if "{" in self.path:
            statuses.add("404")
        if self.method != "DELETE":
            statuses.add("400")
        return sorted(statuses)


def add_problem(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Describe the shape of every refusal; the library calls this when the rest is written."""
    result["components"]["schemas"]["Problem"] = _PROBLEM
    return result


def _problem(status: str) -> dict[str, Any]:
    reference = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {"description": _PROBLEMS[status], "content": {"application/problem+json": reference}}


def _sentence_on(view: APIView, method: str) -> str:
    scope = scope_of(view, method)
    if scope == ANYBODY:
        return "Open to everybody."
    if scope is PERSON:
        return "For people who are signed in; personal tokens may not."
    names = (scope,) if isinstance(scope, str) else scope
    return f"Scope of a personal token: {' or '.join(f'`{name}`' for name in names)}."
