import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from stdnum import isin as stdnum_isin

from instruments.isin import PATTERN, check_digits_hold, problem_of

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
DIGITS = "0123456789"
bodies = st.tuples(
    st.text(LETTERS, min_size=2, max_size=2), st.text(LETTERS + DIGITS, min_size=9, max_size=9)
).map("".join)


def as_bytes(isin: str) -> np.ndarray:
    return np.frombuffer(isin.encode(), dtype=np.uint8).reshape(1, 12)


@given(bodies)
def test_the_fast_check_digit_is_the_one_of_stdnum(body: str) -> None:
    right = stdnum_isin.calc_check_digit(body)

    held = {digit: bool(check_digits_hold(as_bytes(body + digit))[0]) for digit in DIGITS}

    assert held == {digit: digit == right for digit in DIGITS}
    assert problem_of(body + right) is None


@given(st.text(max_size=14))
def test_a_problem_is_told_for_everything_that_is_no_isin(text: str) -> None:
    problem = problem_of(text)

    assert (problem is None) == (
        bool(PATTERN.fullmatch(text)) and stdnum_isin.calc_check_digit(text[:-1]) == text[-1]
    )


def test_the_isins_of_otc_derivatives_are_isins() -> None:
    """stdnum knows no country EZ, and calls all of them invalid."""
    assert problem_of("EZPN239DTWN8") is None
    assert not stdnum_isin.is_valid("EZPN239DTWN8")
