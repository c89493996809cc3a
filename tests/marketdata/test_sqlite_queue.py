"""The embedded message queue: delivery, and damage to its file."""

import multiprocessing
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from kombu import Connection

from marketdata import sqlite_queue
from marketdata.sqlite_queue import MessageFile


def connect(path: Path) -> Connection:
    sqlite_queue.register()
    return Connection(f"{sqlite_queue.SCHEME}://localhost/", transport_options={"path": str(path)})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "queue" / "messages.sqlite3"


@pytest.fixture
def queue(path: Path) -> Iterator[Any]:
    with connect(path) as connection, connection.SimpleQueue("work") as simple_queue:
        yield simple_queue


def receive(queue: Any) -> list[Any]:
    """Take and acknowledge all messages of a queue."""
    bodies: list[Any] = []
    while True:
        try:
            message = queue.get_nowait()
        except Empty:
            return bodies
        message.ack()
        bodies.append(message.payload)


def test_messages_are_delivered_once_and_in_order(queue: Any) -> None:
    for number in range(3):
        queue.put({"number": number})

    assert queue.qsize() == 3
    assert [body["number"] for body in receive(queue)] == [0, 1, 2]
    assert queue.qsize() == 0


def test_a_queue_can_be_cleared(queue: Any) -> None:
    queue.put({})
    queue.put({})

    assert queue.clear() == 2
    assert receive(queue) == []


def test_a_message_that_was_not_acknowledged_comes_back(path: Path, queue: Any) -> None:
    with connect(path) as other, other.SimpleQueue("work") as interrupted:
        queue.put({"number": 1})
        interrupted.get_nowait()
        assert receive(queue) == []

    assert receive(queue) == [{"number": 1}]


def test_waiting_for_a_message_lets_a_worker_stop_soon(path: Path, queue: Any) -> None:
    """Celery waits for two seconds at a time, and once more after the signal to stop."""
    before = time.monotonic()
    with pytest.raises(TimeoutError):
        queue.channel.connection.client.drain_events(timeout=2.0)

    assert time.monotonic() - before < 1.5


def take_all(path: Path, results: "multiprocessing.Queue[list[str]]") -> None:
    messages = MessageFile(path)
    taken = []
    while (body := messages.take("work")) is not None:
        taken.append(body)
    results.put(taken)


def test_processes_share_the_messages(path: Path) -> None:
    messages = MessageFile(path)
    for number in range(200):
        messages.put("work", str(number))
    context = multiprocessing.get_context(
        "fork"
    )  # the connection above is not used by the children
    results: multiprocessing.Queue[list[str]] = context.Queue()
    processes = [context.Process(target=take_all, args=(path, results)) for _ in range(3)]
    for process in processes:
        process.start()
    taken = [body for _ in processes for body in results.get(timeout=60)]
    for process in processes:
        process.join()

    assert sorted(map(int, taken)) == list(range(200))
    assert messages.count("work") == 0


def truncate(path: Path) -> None:
    path.write_bytes(b"")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:3000])


def overwrite(path: Path) -> None:
    path.write_text("This is not a database. " * 500)


def overwrite_with_journal(path: Path) -> None:
    for suffix in ("", "-journal"):
        path.with_name(path.name + suffix).write_text("This is not a database. " * 500)


def remove(path: Path) -> None:
    path.unlink()


def replace_by_foreign_database(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE messages (something TEXT)")
    connection.close()


@pytest.mark.parametrize(
    "damage",
    [truncate, cut, overwrite, overwrite_with_journal, remove, replace_by_foreign_database],
)
def test_a_damaged_file_is_replaced(damage: Callable[[Path], None], path: Path, queue: Any) -> None:
    queue.put({"number": 1})

    damage(path)
    assert receive(queue) == []  # the message is lost
    queue.put({"number": 2})

    with connect(path) as other, other.SimpleQueue("work") as reader:
        assert receive(reader) == [{"number": 2}]
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


def test_unreadable_messages_are_dropped(
    path: Path, queue: Any, caplog: pytest.LogCaptureFixture
) -> None:
    unreadable = [
        "",
        "{",
        "[]",
        "null",
        "7",
        '{"body": "x"}',
        '{"body": "x", "properties": {}}',
        "\0",
    ]
    queue.put({"number": 1})
    for body in unreadable:
        MessageFile(path).put("work", body)
    queue.put({"number": 2})

    assert receive(queue) == [{"number": 1}, {"number": 2}]
    assert caplog.text.count("An unreadable message in the queue work was dropped") == len(
        unreadable
    )


def test_an_error_that_passes_is_raised_for_kombu_to_reconnect(path: Path) -> None:
    path.parent.mkdir()
    path.mkdir()  # nobody can open a folder

    with pytest.raises(OSError, match=r"messages\.sqlite3: unable to open"):
        MessageFile(path).put("work", "{}")
    path.rmdir()
    MessageFile(path).put("work", "{}")
    assert MessageFile(path).count("work") == 1
