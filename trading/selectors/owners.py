"""Whose rows are read."""

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser

#: What a request carries as its user; nobody owns nothing.
Owner = AbstractBaseUser | AnonymousUser
