"""What asking in one's own name costs."""

import pytest
from pytest_django import DjangoAssertNumQueries

from accounts import keys
from tests.accounts.people import Caller, make, with_token

pytestmark = pytest.mark.django_db
LIST = "/instruments/"


def test_each_way_in_takes_a_fixed_number_of_queries(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    bob = make("bob", "curator")
    _, text = keys.create(bob, name="n", permissions=["instruments.view_instrument"], days=1)
    by_key, by_token = Caller(f"Api-Key {text}"), with_token(bob)
    by_key("get", LIST)  # notes its use, for ten minutes

    with django_assert_num_queries(5):  # user, two for permissions, roles for the limit, the count
        by_token("get", LIST)
    with django_assert_num_queries(6):  # key with user, two for the permissions of each, the count
        by_key("get", LIST)
