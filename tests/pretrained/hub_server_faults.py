"""What can go wrong on the way: one fault is for some paths and happens a number of times."""

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Fault:
    """What happens to the next answers of a path.

    Args:
        path: a pattern to find in the path.
        method: of the request; None for any.
        times: how often; None for ever.
        status, message, code: answer this instead, with the Hub's `X-Error-Code`.
        wait_s: before answering.
        piece, pause_s: send so many bytes at a time, and rest after each.
        cut_after: send so many bytes of the promised ones, then close the connection.
        reset: close it hard, as a pulled plug does.
        lost: do what was asked, and close it hard before a word of the answer.
        corrupt: change bytes, keep the length.
        no_range: send everything, whatever part was asked for.
        shorten: lose so many bytes at the end, and say so in Content-Length.
        before: called before the answer is made; nothing else happens meanwhile.
    """

    path: str
    method: str | None = None
    times: int | None = 1
    status: int | None = None
    message: str = "Injected."
    code: str | None = None
    wait_s: float = 0
    piece: int | None = None
    pause_s: float = 0
    cut_after: int | None = None
    reset: bool = False
    lost: bool = False
    corrupt: bool = False
    no_range: bool = False
    shorten: int = 0
    before: Callable[[], object] | None = None

    def damage(self, body: bytes) -> bytes:
        """The body as it goes out."""
        if self.corrupt:
            middle = len(body) // 2
            body = body[:middle] + bytes(byte ^ 255 for byte in body[middle : middle + 4]) + body[middle + 4 :]
        return body[: len(body) - self.shorten]


class Faults:
    """The faults of one server, in the order they were added."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, path: str, **fields) -> Fault:
        fault = Fault(path, **fields)
        with self._lock:
            self._waiting.append(fault)
        return fault

    def clear(self) -> None:
        with self._lock:
            self._waiting.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """The first fault for this request; it is used up once."""
        with self._lock:
            for fault in self._waiting:
                if re.search(fault.path, path) and fault.method in (None, method) and fault.times != 0:
                    fault.times = None if fault.times is None else fault.times - 1
                    return fault
        return None
