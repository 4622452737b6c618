"""Accounts of people and machines: kept by the superuser, read by compliance."""

from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from rest_framework.authtoken.admin import TokenAdmin as DjangoTokenAdmin
from rest_framework.authtoken.models import TokenProxy
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from lending.admin.base import ReadOnlyAdmin, StaffAdmin
from lending.models import User
from lending.roles import ROLES

# Registered by their own apps in the dress of another admin. Addresses and second factors belong to their owners.
for model in (Group, EmailAddress, Authenticator, AccessAttempt, AccessFailureLog, AccessLog, TokenProxy):
    if admin.site.is_registered(model):
        admin.site.unregister(model)


class Kept(StaffAdmin):
    """Users and groups are never deleted: what they did names them."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(User)
class UserAdmin(Kept, DjangoUserAdmin):
    form, add_form, change_password_form = UserChangeForm, UserCreationForm, AdminPasswordChangeForm
    list_display = ["username", "email", "roles", "is_staff", "is_active", "last_login"]
    list_filter = ["is_staff", "is_active", "groups"]
    readonly_fields = ["roles"]
    # What may be known of an account by those who do not keep it: nothing of its password.
    known = [
        "username",
        "email",
        "roles",
        "is_staff",
        "is_superuser",
        "is_active",
        "last_login",
        "date_joined",
    ]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        kept = self.has_add_permission(request) if obj is None else self.has_change_permission(request, obj)
        return super().get_fieldsets(request, obj) if kept else [(None, {"fields": self.known})]

    @display(description=_("roles"))
    def roles(self, user: User) -> str:
        return ", ".join(str(ROLES.get(group.name, group.name)) for group in user.groups.all()) or "–"

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("groups")


@admin.register(Group)
class GroupAdmin(Kept, DjangoGroupAdmin):
    list_display = ["name", "role"]

    @display(description=_("role"))
    def role(self, group: Group) -> str:
        return str(ROLES.get(group.name, "–"))


@admin.register(TokenProxy)
class TokenAdmin(StaffAdmin, DjangoTokenAdmin):
    """The platform's keys to the API; whoever holds one acts in its user's name."""

    list_display = ["user", "created"]
    fields = ["user"]


@admin.register(AccessAttempt)
class AccessAttemptAdmin(ReadOnlyAdmin):
    list_display = ["attempt_time", "username", "ip_address", "failures_since_start"]
    search_fields = ["username", "ip_address"]
    fields = ["attempt_time", "username", "ip_address", "user_agent", "failures_since_start"]


@admin.register(AccessLog)
class AccessLogAdmin(ReadOnlyAdmin):
    list_display = ["attempt_time", "username", "ip_address", "logout_time"]
    search_fields = ["username", "ip_address"]
    date_hierarchy = "attempt_time"
    fields = ["attempt_time", "username", "ip_address", "user_agent", "logout_time"]
