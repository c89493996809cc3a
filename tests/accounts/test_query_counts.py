"""Numbers of database queries for authentication and access rules."""

import pytest
from pytest_django import DjangoAssertNumQueries

from accounts import api_keys
from tests.accounts.clients import ApiClient, client_with_token, make_user

pytestmark = pytest.mark.django_db
LIST = "/instruments/"


def test_each_way_of_authentication_takes_a_fixed_number_of_queries(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    bob = make_user("bob", "curator")
    _, text = api_keys.create(bob, name="n", permissions=["instruments.view_instrument"], days=1)
    by_key, by_token = ApiClient(f"Api-Key {text}"), client_with_token(bob)
    by_key("get", LIST)  # stores the time of last use, which is then left for ten minutes

    with django_assert_num_queries(5):  # user, two for permissions, roles for the limit, the count
        by_token("get", LIST)
    with django_assert_num_queries(6):  # key with user, two for the permissions of each, the count
        by_key("get", LIST)
