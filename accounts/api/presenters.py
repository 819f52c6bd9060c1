"""People, their programs and their notifications as JSON; never a secret but a new one."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession

from accounts.models import Notification, PersonalToken, RefreshFamily, User
from accounts.selectors.sessions import reference_of
from accounts.services.refresh_families import TokenPair


def present_tokens(pair: TokenPair) -> dict[str, Any]:
    """Return both tokens and when they end."""
    return {
        "access": pair.access,
        "access_expires_at": pair.access_expires_at,
        "refresh": pair.refresh,
        "refresh_expires_at": pair.refresh_expires_at,
        "token_type": "Bearer",
    }


def present_person(person: User) -> dict[str, Any]:
    """Return what a person may read of themselves."""
    return {
        "id": person.public_id,
        "email": person.email,
        "display_name": person.display_name,
        "bio": person.bio,
        "time_zone": person.time_zone,
        "currency": person.currency,
        "theme": person.theme,
        "is_operator": person.is_staff,
        "joined_at": person.date_joined,
    }


def present_second_factor(authenticators: Sequence[Authenticator]) -> dict[str, Any]:
    """Return whether there is a second factor, and how many recovery codes are left."""
    by_type = {each.type: each for each in authenticators}
    totp = by_type.get(Authenticator.Type.TOTP)
    codes = by_type.get(Authenticator.Type.RECOVERY_CODES)
    return {
        "is_enabled": totp is not None,
        "enabled_at": totp.created_at if totp else None,
        "last_used_at": totp.last_used_at if totp else None,
        "recovery_codes_left": len(codes.wrap().get_unused_codes()) if codes else 0,
    }


def present_sign_in(family: RefreshFamily, *, current: UUID | None) -> dict[str, Any]:
    """Return a program that is signed in; *current* is the one that asks."""
    return {
        "id": family.public_id,
        "user_agent": family.user_agent,
        "ip_address": family.ip_address,
        "created_at": family.created_at,
        "last_used_at": family.last_used_at,
        "expires_at": family.expires_at,
        "is_current": family.public_id == current,
    }


def present_browser(session: UserSession, *, current_key: str | None) -> dict[str, Any]:
    """Return a browser that is signed in."""
    return {
        "id": reference_of(session.session_key),
        "user_agent": session.user_agent,
        "ip_address": session.ip,
        "created_at": session.created_at,
        "last_seen_at": session.last_seen_at,
        "is_current": session.session_key == current_key,
    }


def present_token(token: PersonalToken) -> dict[str, Any]:
    """Return a personal token without its secret."""
    return {
        "id": token.public_id,
        "name": token.name,
        "prefix": token.prefix,
        "scopes": token.scopes,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "last_used_at": token.last_used_at,
        "revoked_at": token.revoked_at,
    }


def present_notification(told: Notification) -> dict[str, Any]:
    """Return something that a person was told."""
    return {
        "id": told.public_id,
        "kind": told.kind,
        "level": told.level,
        "title": told.title,
        "body": told.body,
        "path": told.path,
        "created_at": told.created_at,
        "read_at": told.read_at,
    }
