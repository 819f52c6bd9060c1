"""What the API of the people answers, described field by field for the schema."""

from typing import Any

from rest_framework import serializers

from accounts.models import NotificationKind, NotificationLevel, Theme, TokenScope


class AcceptedSerializer(serializers.Serializer[Any]):
    """What happens now; the same whether or not the address is known."""

    detail = serializers.CharField()


class TokensSerializer(serializers.Serializer[Any]):
    """A program's tokens; the refresh token is good once."""

    access = serializers.CharField()
    access_expires_at = serializers.DateTimeField()
    refresh = serializers.CharField()
    refresh_expires_at = serializers.DateTimeField()
    token_type = serializers.CharField()


class PersonSerializer(serializers.Serializer[Any]):
    """The person who asks."""

    id = serializers.UUIDField()
    email = serializers.EmailField()
    display_name = serializers.CharField(allow_blank=True)
    bio = serializers.CharField(allow_blank=True)
    time_zone = serializers.CharField()
    currency = serializers.CharField()
    theme = serializers.ChoiceField(Theme.values)
    is_operator = serializers.BooleanField()
    joined_at = serializers.DateTimeField()


class SecondFactorSerializer(serializers.Serializer[Any]):
    """The second factor; it is set up on the pages."""

    is_enabled = serializers.BooleanField()
    enabled_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True)
    recovery_codes_left = serializers.IntegerField()


class SignInOfProgramSerializer(serializers.Serializer[Any]):
    """A program that is signed in."""

    id = serializers.UUIDField()
    user_agent = serializers.CharField(allow_blank=True)
    ip_address = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    is_current = serializers.BooleanField(help_text="Whether this request came from it.")


class BrowserSerializer(serializers.Serializer[Any]):
    """A browser that is signed in; ``id`` names it and signs nobody in."""

    id = serializers.CharField()
    user_agent = serializers.CharField(allow_blank=True)
    ip_address = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()
    last_seen_at = serializers.DateTimeField()
    is_current = serializers.BooleanField()


class BrowsersSerializer(serializers.Serializer[Any]):
    """All browsers that are signed in."""

    results = BrowserSerializer(many=True)
    next = serializers.URLField(allow_null=True)


class PersonalTokenSerializer(serializers.Serializer[Any]):
    """A token for a program; its secret is shown once, when it is made."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    prefix = serializers.CharField(help_text="How it begins, to recognize it by.")
    scopes = serializers.ListField(child=serializers.ChoiceField(TokenScope.values))
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)


class NewPersonalTokenSerializer(PersonalTokenSerializer):
    """A token that was just made."""

    token = serializers.CharField(help_text="Shown now and never again.")


class NotificationSerializer(serializers.Serializer[Any]):
    """Something that a person was told; ``path`` is where to look at it."""

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(NotificationKind.values)
    level = serializers.ChoiceField(NotificationLevel.values)
    title = serializers.CharField()
    body = serializers.CharField(allow_blank=True)
    path = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()
    read_at = serializers.DateTimeField(allow_null=True)


class MarkedSerializer(serializers.Serializer[Any]):
    """How many notifications became read."""

    marked = serializers.IntegerField()
