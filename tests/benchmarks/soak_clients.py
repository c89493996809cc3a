"""The clients of `make bench-soak`: they look up, list, search, export and sign in, with pauses."""

import contextlib
import dataclasses
import random
import threading
import time

import requests


@dataclasses.dataclass(frozen=True)
class Answer:
    """One answer; `at` and `seconds` on the clock of the run, status 0 where there was no connection."""

    at: float
    request: str
    status: int
    seconds: float


class Clients:
    """Threads that ask as people and programs do, with pauses, until `stop`."""

    def __init__(self, address: str, *, key: str, password: str, isins: list[str]) -> None:
        self._address, self._key, self._password, self._isins = address, key, password, isins
        self.answers: list[Answer] = []
        self._is_over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._begin = time.monotonic()

    def start(self, count: int) -> None:
        self._begin = time.monotonic()
        for number in range(count):
            thread = threading.Thread(target=self._play, args=(number,))
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join()

    def _play(self, number: int) -> None:
        chance = random.Random(number)
        while not self._is_over.wait(chance.uniform(0.5, 2.5)):
            isin = chance.choice(self._isins)
            [request] = chance.choices(
                ("look up", "list", "search", "changes", "export", "sign in"),
                (60, 15, 10, 5, 5, 5),
            )
            path, parameters = {
                "look up": (f"instruments/{isin}/", {}),
                "list": ("instruments/", {"category": chance.choice("DEORS")}),
                "search": ("instruments/", {"q": isin[:6]}),
                "changes": ("instruments/changes/", {}),
                "export": ("instruments/export/", {"isin": isin}),
                "sign in": ("auth/token/", {}),
            }[request]
            start, status = time.monotonic(), 0
            url = f"{self._address}/api/v1/{path}"
            with contextlib.suppress(requests.RequestException):
                if request == "sign in":
                    body = {"username": f"client-{number}", "password": self._password}
                    answer = requests.post(url, json=body, timeout=60)
                else:
                    headers = {"Authorization": f"Api-Key {self._key}"}
                    answer = requests.get(url, params=parameters, headers=headers, timeout=60)
                status = answer.status_code
            now = time.monotonic()
            self.answers.append(Answer(start - self._begin, request, status, now - start))
