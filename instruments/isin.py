"""ISIN (ISO 6166): two letters, nine letters or digits, a check digit.

python-stdnum's `isin.validate` also looks the country up, and knows neither EZ, under which the
Derivatives Service Bureau numbers all OTC derivatives, nor QQ: both are in FIRDS by the hundred
thousand. So its check digit is used, and not its list.
"""

import re

import numpy as np
from stdnum.isin import calc_check_digit

PATTERN = re.compile(r"[A-Z]{2}[A-Z0-9]{9}[0-9]")


def problem_of(text: str) -> str | None:
    """Return the reason why `text` is not an ISIN, in words; None for a valid ISIN."""
    if len(text) != 12:
        return f"an ISIN has 12 characters, this has {len(text)}"
    if not PATTERN.fullmatch(text):
        return "an ISIN is two letters, nine letters or digits, and a digit"
    if (digit := calc_check_digit(text[:-1])) != text[-1]:
        return f"the check digit is {text[-1]}, and should be {digit}"
    return None


def check_digits_hold(isins: np.ndarray) -> np.ndarray:
    """Return a mask of the ISINs with a valid check digit.

    `isins` is an array of shape (n, 12) of uint8: ASCII of ISINs that match the pattern.

    Equal to `problem_of(...) is None`, and 200 times faster: letters count as two digits (A is 10),
    and every second digit from the right is doubled, the digits of the result summed.
    """
    total = np.zeros(len(isins), dtype=np.int32)
    double = np.zeros(len(isins), dtype=bool)  # whether the next digit, from the right, is doubled
    for column in reversed(range(12)):
        code = isins[:, column].astype(np.int32)
        letter = code >= ord("A")
        value = np.where(letter, code - ord("A") + 10, code - ord("0"))
        total += _luhn(value % 10, double)
        total += np.where(letter, _luhn(value // 10, ~double), 0)
        double = np.where(letter, double, ~double)
    valid: np.ndarray = total % 10 == 0
    return valid


def _luhn(digit: np.ndarray, double: np.ndarray) -> np.ndarray:
    twice = digit * 2
    result: np.ndarray = np.where(double, twice - 9 * (twice > 9), digit)
    return result


def key_of(isin: str) -> int:
    """Return an ISIN, or the beginning of one, as a number of 63 bits, in the order of ISINs."""
    padded = isin.ljust(12, "0")
    return int(padded[:11], 36) * 10 + int(padded[11])


def keys_of(isins: np.ndarray) -> np.ndarray:
    """Return the numbers of many ISINs; `isins` is (n, 12) of uint8, ASCII, of the pattern above."""
    code = isins.astype(np.int64)
    digit = np.where(code >= ord("A"), code - ord("A") + 10, code - ord("0"))
    key: np.ndarray = digit[:, :11] @ (36 ** np.arange(10, -1, -1, dtype=np.int64)) * 10
    return key + digit[:, 11]
