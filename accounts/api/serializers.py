"""Request and response bodies for users, roles, tokens and API keys."""

from typing import Any

from django.contrib.auth.models import Group
from rest_framework import serializers

from accounts import descriptions
from accounts.models import ApiKey, User
from accounts.models.user import USERNAME_FORM, USERNAME_PATTERN
from accounts.permissions import permission_names
from accounts.roles import ROLES
from marketdata.api.parameters import StrictSerializer

_MAX_PASSWORD_LENGTH = 1000  # characters; bounds the work of hashing


def _names_field(description: str, **kwargs: Any) -> serializers.ListField:
    """Return a field for names of roles or permissions."""
    name = serializers.CharField(min_length=1, max_length=250)
    return serializers.ListField(child=name, max_length=1000, help_text=description, **kwargs)


def _password_field(**kwargs: Any) -> serializers.CharField:
    return serializers.CharField(
        min_length=1,
        max_length=_MAX_PASSWORD_LENGTH,
        trim_whitespace=False,
        write_only=True,
        **kwargs,
    )


class CredentialsSerializer(StrictSerializer):
    """A user name and password."""

    username = serializers.CharField(min_length=1, max_length=150)
    password = _password_field()


class RefreshSerializer(StrictSerializer):
    """A refresh token."""

    refresh = serializers.CharField(min_length=1, max_length=5000)


class TokensSerializer(serializers.Serializer[Any]):
    """A pair of tokens."""

    access = serializers.CharField(
        help_text="Access token for the header `Authorization: Bearer`, valid for 15 minutes."
    )
    refresh = serializers.CharField(
        help_text="Refresh token, valid for 7 days and for a single use at /auth/refresh/."
    )


class PasswordSerializer(StrictSerializer):
    """The old and the new password."""

    old_password = _password_field()
    new_password = _password_field()


class UserSerializer(serializers.ModelSerializer[User]):
    """A user account, without the password."""

    email = serializers.CharField(read_only=True, help_text="E-mail address; may be empty.")
    roles = serializers.ListField(
        child=serializers.CharField(), read_only=True, help_text="Names of the user's roles."
    )

    class Meta:
        model = User
        fields: tuple[str, ...] = descriptions.USER_COLUMNS
        read_only_fields = fields

    def to_representation(self, instance: User) -> Any:
        return descriptions.describe_user(instance)


class OwnAccountSerializer(UserSerializer):
    """The own account, with its permissions."""

    permissions = serializers.ListField(
        child=serializers.CharField(), help_text="Names of all permissions."
    )

    class Meta(UserSerializer.Meta):
        fields = (*UserSerializer.Meta.fields, "permissions")
        read_only_fields = fields

    def to_representation(self, instance: User) -> Any:
        described = descriptions.describe_user(instance)
        return {**described, "permissions": sorted(instance.get_all_permissions())}


class NewUserSerializer(StrictSerializer):
    """A new user."""

    username = serializers.RegexField(
        USERNAME_PATTERN.replace("\\Z", "$"),
        max_length=150,
        help_text="User name, in ASCII.",
        error_messages={"invalid": USERNAME_FORM},
    )
    password = _password_field()
    email = serializers.EmailField(required=False, default="", max_length=254, allow_blank=True)
    roles = _names_field("Names of roles.", default=["viewer"])


class UserChangeSerializer(StrictSerializer):
    """The fields of an account that an admin can change."""

    email = serializers.EmailField(required=False, max_length=254, allow_blank=True)
    roles = _names_field("Names of roles, which replace the present ones.", required=False)
    is_active = serializers.BooleanField(required=False)
    password = _password_field(required=False)


class OwnAccountChangeSerializer(StrictSerializer):
    """The fields of the own account that every user can change."""

    email = serializers.EmailField(max_length=254, allow_blank=True)


class RoleSerializer(serializers.ModelSerializer[Group]):
    """A role and its permissions."""

    description = serializers.SerializerMethodField(
        help_text="Description of a built-in role; empty for a custom role."
    )
    permissions = serializers.SerializerMethodField(help_text="Names of permissions.")

    class Meta:
        model = Group
        fields = ("name", "description", "permissions")

    def get_description(self, group: Group) -> str:
        return ROLES[group.name].description if group.name in ROLES else ""

    def get_permissions(self, group: Group) -> list[str]:
        return permission_names(group.permissions.all())


class NewRoleSerializer(StrictSerializer):
    """A new role."""

    name = serializers.RegexField(
        r"^[a-z][a-z0-9-]*$",
        max_length=50,
        error_messages={
            "invalid": "Enter lower-case letters, digits and hyphens, beginning with a letter."
        },
    )
    permissions = _names_field("Names of permissions.")


class RoleChangeSerializer(StrictSerializer):
    """The new permissions of a role."""

    permissions = _names_field("Names of permissions, which replace the present ones.")


class ApiKeySerializer(serializers.ModelSerializer[ApiKey]):
    """An API key, without its text."""

    owner = serializers.CharField(help_text="User name of the owner.")
    state = serializers.ChoiceField(choices=["usable", "expired", "revoked"])
    permissions = serializers.ListField(
        child=serializers.CharField(), help_text="Names of permissions."
    )

    class Meta:
        model = ApiKey
        fields: tuple[str, ...] = descriptions.API_KEY_COLUMNS
        read_only_fields = fields

    def to_representation(self, instance: ApiKey) -> Any:
        return descriptions.describe_api_key(instance)


class CreatedApiKeySerializer(ApiKeySerializer):
    """A new API key with its text, which is shown only in this response."""

    key = serializers.CharField(
        read_only=True, help_text="Text of the key. Store it: it cannot be shown again."
    )

    class Meta(ApiKeySerializer.Meta):
        fields = (*ApiKeySerializer.Meta.fields, "key")
        read_only_fields = fields


class NewApiKeySerializer(StrictSerializer):
    """A new API key."""

    name = serializers.CharField(min_length=1, max_length=100, help_text="Purpose of the key.")
    permissions = _names_field("Names of permissions.", min_length=1)
    days = serializers.IntegerField(
        min_value=1, max_value=3660, default=90, help_text="Days until the key expires."
    )
