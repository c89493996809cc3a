"""Check digits of LEIs (ISO 17442, which is ISO 7064 MOD 97-10)."""

import numpy as np

LENGTH = 20


def check_digits_hold(letters: np.ndarray) -> np.ndarray:
    """Return which LEIs have right check digits; `letters` are their characters, as (n, 20) of uint8.

    All of them must be capital letters and digits of ASCII.
    """
    values = letters.astype(np.int32)
    values = np.where(values >= ord("A"), values - (ord("A") - 10), values - ord("0"))
    remainder = np.zeros(len(letters), dtype=np.int32)
    for place in range(LENGTH):
        value = values[:, place]
        remainder = (remainder * np.where(value >= 10, 100, 10) + value) % 97
    holds: np.ndarray = remainder == 1
    return holds


def is_valid(lei: str) -> bool:
    """Return whether the check digits of a text that has the form of an LEI are right."""
    letters = np.frombuffer(lei.encode("ascii"), dtype=np.uint8).reshape(1, LENGTH)
    return bool(check_digits_hold(letters)[0])
