"""The JSON API of coming in: signing up, proving an address, passwords, tokens."""

from typing import Any, Final, cast

from django.conf import settings
from django.contrib.auth import update_session_auth_hash
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api import answers, presenters
from accounts.api.serializers import (
    AddressSerializer,
    LinkSerializer,
    NewPasswordSerializer,
    RefreshSerializer,
    RegisterSerializer,
    ResetSerializer,
    SignInSerializer,
)
from accounts.models import User
from accounts.services import addresses, entrance, passwords, refresh_families, sign_in
from foundation.http import actor_of
from foundation.scopes import ANYBODY, PERSON
from foundation.serializers import StrictSerializer

_MAILED: Final = "If the address waits for it, a mail is on its way."


class Register(APIView):
    """Signing up."""

    required_scope = ANYBODY
    throttle_buckets = {"POST": ("mail",)}
    problem_statuses = {"POST": (503,)}

    @extend_schema(request=RegisterSerializer, responses={202: answers.AcceptedSerializer})
    def post(self, request: Request) -> Response:
        """Register a person and mail a link that proves the address; a known address gets the same answer."""
        wanted = _checked(RegisterSerializer, request)
        entrance.sign_up(
            email=wanted["email"],
            password=wanted["password"],
            now=timezone.now(),
            hint=request.COOKIES.get(settings.SIGN_UP_HINT_COOKIE, ""),
        )
        return Response({"detail": "A mail is on its way. Follow its link to go on."}, status=202)


class VerifyAddress(APIView):
    """Proving an address."""

    required_scope = ANYBODY
    throttle_buckets = {"POST": ("refresh",)}
    problem_statuses = {"POST": (401, 403, 409, 503)}

    @extend_schema(request=LinkSerializer, responses={204: None})
    def post(self, request: Request) -> Response:
        """Prove the address to which the link went; a change of address needs the person to be signed in."""
        entrance.confirm_by_link(
            key=_checked(LinkSerializer, request)["key"],
            signed_in_id=request.user.pk,
            now=timezone.now(),
        )
        return Response(status=204)


class ResendVerification(APIView):
    """A new link that proves an address."""

    required_scope = ANYBODY
    throttle_buckets = {"POST": ("mail",)}
    problem_statuses = {"POST": (503,)}

    @extend_schema(request=AddressSerializer, responses={202: answers.AcceptedSerializer})
    def post(self, request: Request) -> Response:
        """Mail the link again, if the address waits for it."""
        addresses.resend_link(email=_checked(AddressSerializer, request)["email"])
        return Response({"detail": _MAILED}, status=202)


class ForgotPassword(APIView):
    """A link that resets a password."""

    required_scope = ANYBODY
    throttle_buckets = {"POST": ("mail",)}
    problem_statuses = {"POST": (503,)}

    @extend_schema(request=AddressSerializer, responses={202: answers.AcceptedSerializer})
    def post(self, request: Request) -> Response:
        """Mail the link; an unknown address gets the same answer."""
        entrance.send_reset_link(
            request=request._request,  # noqa: SLF001  the documented way to the underlying request
            email=_checked(AddressSerializer, request)["email"],
        )
        return Response({"detail": "A mail is on its way."}, status=202)


class ResetPassword(APIView):
    """A new password for who forgot the old one."""

    required_scope = ANYBODY
    throttle_buckets = {"POST": ("refresh",)}
    problem_statuses = {"POST": (503,)}

    @extend_schema(request=ResetSerializer, responses={204: None})
    def post(self, request: Request) -> Response:
        """Store a new password by the link of a mail; everything that was signed in is signed out."""
        wanted = _checked(ResetSerializer, request)
        entrance.reset_by_link(key=wanted["key"], password=wanted["password"], now=timezone.now())
        return Response(status=204)


class ChangePassword(APIView):
    """A new password for who knows the old one."""

    required_scope = PERSON
    throttle_buckets = {"POST": ("password",)}
    problem_statuses = {"POST": (503,)}

    @extend_schema(request=NewPasswordSerializer, responses={204: None})
    def post(self, request: Request) -> Response:
        """Store a new password; all programs and other browsers are signed out, this program too."""
        wanted, person = _checked(NewPasswordSerializer, request), cast(User, request.user)
        entrance.prove_again(person=person, password=wanted["password"], code=wanted["code"])
        entrance.check_new_password(person=person, password=wanted["new_password"])
        by_page = request.auth is None
        changed = passwords.change_password(
            person_id=person.pk,
            password=wanted["new_password"],
            keep_session_key=request.session.session_key if by_page else None,
            by=actor_of(request),
            now=timezone.now(),
        )
        if by_page:
            update_session_auth_hash(request._request, changed)  # noqa: SLF001  as above
        return Response(status=204)


class Tokens(APIView):
    """Signing a program in."""

    required_scope = ANYBODY
    throttle_buckets = {"POST": ("sign_in",)}
    problem_statuses = {"POST": (401, 503)}

    @extend_schema(request=SignInSerializer, responses=answers.TokensSerializer)
    def post(self, request: Request) -> Response:
        """Answer an access token for five minutes and a refresh token.

        Whoever has a second factor is first answered 401 `second_factor_required` and sends everything again with
        `code`. 401 `invalid_credentials` does not tell what was wrong.
        """
        proofs = _checked(SignInSerializer, request)
        pair = sign_in.sign_in(
            request=request._request,  # noqa: SLF001  as above
            email=proofs["email"],
            password=proofs["password"],
            code=proofs["code"],
            now=timezone.now(),
        )
        return Response(presenters.present_tokens(pair))


class RefreshTokens(APIView):
    """New tokens for a program that is signed in."""

    required_scope = ANYBODY
    throttle_buckets = {"POST": ("refresh",)}
    problem_statuses = {"POST": (401, 409, 503)}

    @extend_schema(request=RefreshSerializer, responses=answers.TokensSerializer)
    def post(self, request: Request) -> Response:
        """Answer the next pair of tokens; each refresh token is good once.

        409 `token_just_replaced` within five seconds of its use; used later again, it signs the program out.
        """
        refresh = _checked(RefreshSerializer, request)["refresh"]
        pair = refresh_families.rotate(refresh=refresh, now=timezone.now())
        return Response(presenters.present_tokens(pair))


class RevokeTokens(APIView):
    """Signing a program out."""

    required_scope = ANYBODY
    throttle_buckets = {"POST": ("refresh",)}
    problem_statuses = {"POST": (401, 503)}

    @extend_schema(request=RefreshSerializer, responses={204: None})
    def post(self, request: Request) -> Response:
        """End the sign-in of this refresh token, with all access tokens that came from it."""
        refresh = _checked(RefreshSerializer, request)["refresh"]
        refresh_families.sign_out(refresh=refresh, now=timezone.now())
        return Response(status=204)


def _checked(serializer_class: type[StrictSerializer], request: Request) -> dict[str, Any]:
    serializer = serializer_class(data=request.data)
    serializer.is_valid(raise_exception=True)
    values: dict[str, Any] = serializer.validated_data
    return values
