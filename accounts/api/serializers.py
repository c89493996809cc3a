"""Accounts, tokens and keys, as the API takes and shows them."""

from typing import Any

from django.contrib.auth.models import Group
from django.contrib.auth.validators import UnicodeUsernameValidator
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.models import ApiKey, User
from accounts.permissions import names_of
from accounts.roles import ROLES
from marketdata.api.strict import StrictSerializer

_MAX_PASSWORD = 1000  # characters: what is hashed has a bound


def _password(**kwargs: Any) -> serializers.CharField:
    return serializers.CharField(
        max_length=_MAX_PASSWORD, trim_whitespace=False, write_only=True, **kwargs
    )


class CredentialsSerializer(StrictSerializer):
    username = serializers.CharField(max_length=150)
    password = _password()


class RefreshSerializer(StrictSerializer):
    refresh = serializers.CharField(max_length=5000)


class TokensSerializer(serializers.Serializer[Any]):
    """A pair of tokens."""

    access = serializers.CharField(help_text="for 15 minutes, in Authorization: Bearer ...")
    refresh = serializers.CharField(help_text="for 7 days, and good for one /auth/refresh/")


class PasswordSerializer(StrictSerializer):
    old_password = _password()
    new_password = _password()


class UserSerializer(serializers.ModelSerializer[User]):
    """An account; never its password."""

    roles = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = User
        fields: tuple[str, ...] = (
            "username",
            "email",
            "roles",
            "is_active",
            "is_staff",
            "is_superuser",
            "last_login",
            "date_joined",
        )
        read_only_fields = fields


class MeSerializer(UserSerializer):
    """Oneself, with what one may do."""

    permissions = serializers.SerializerMethodField()

    class Meta(UserSerializer.Meta):
        fields = (*UserSerializer.Meta.fields, "permissions")
        read_only_fields = fields

    def get_permissions(self, user: User) -> list[str]:
        return sorted(user.get_all_permissions())


class NewUserSerializer(StrictSerializer):
    username = serializers.CharField(max_length=150, validators=[UnicodeUsernameValidator()])
    password = _password()
    email = serializers.EmailField(required=False, default="", max_length=254)
    roles = serializers.ListField(child=serializers.CharField(), default=["viewer"])


class ChangedUserSerializer(StrictSerializer):
    """What an admin may change of an account."""

    email = serializers.EmailField(required=False, max_length=254, allow_blank=True)
    roles = serializers.ListField(child=serializers.CharField(), required=False)
    is_active = serializers.BooleanField(required=False)
    password = _password(required=False)


class ChangedMeSerializer(StrictSerializer):
    """What one may change of oneself."""

    email = serializers.EmailField(max_length=254, allow_blank=True)


class RoleSerializer(serializers.ModelSerializer[Group]):
    """A role, and the permissions it holds."""

    says = serializers.SerializerMethodField(help_text="in words; empty for roles of one's own")
    permissions = serializers.SerializerMethodField()

    class Meta:
        model = Group
        fields = ("name", "says", "permissions")

    def get_says(self, group: Group) -> str:
        return ROLES[group.name].says if group.name in ROLES else ""

    def get_permissions(self, group: Group) -> list[str]:
        return names_of(group.permissions.all())


class NewRoleSerializer(StrictSerializer):
    name = serializers.RegexField(r"^[a-z][a-z0-9-]*$", max_length=50)
    permissions = serializers.ListField(child=serializers.CharField())


class ChangedRoleSerializer(StrictSerializer):
    permissions = serializers.ListField(child=serializers.CharField())


class ApiKeySerializer(serializers.ModelSerializer[ApiKey]):
    """A key, without what would let one use it."""

    owner = serializers.CharField(source="owner.username")
    state = serializers.ChoiceField(choices=["usable", "expired", "revoked"])
    permissions = serializers.SerializerMethodField()

    class Meta:
        model = ApiKey
        fields: tuple[str, ...] = (
            "prefix",
            "name",
            "owner",
            "state",
            "permissions",
            "created_at",
            "expires_at",
            "revoked_at",
            "last_used_at",
        )
        read_only_fields = fields

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_permissions(self, key: ApiKey) -> list[str]:
        return names_of(key.permissions.all())


class MadeApiKeySerializer(ApiKeySerializer):
    """A new key, with its text: this once."""

    key = serializers.CharField(read_only=True, help_text="keep it: it is not shown again")

    class Meta(ApiKeySerializer.Meta):
        fields = (*ApiKeySerializer.Meta.fields, "key")
        read_only_fields = fields


class NewApiKeySerializer(StrictSerializer):
    name = serializers.CharField(max_length=100)
    permissions = serializers.ListField(child=serializers.CharField(), allow_empty=False)
    days = serializers.IntegerField(min_value=1, max_value=3660, default=90)
