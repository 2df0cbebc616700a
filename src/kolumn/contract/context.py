"""How long a call may take and whether it is still wanted: Go's `context.Context`, as far as it is used."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from kolumn.contract.errors import OperationError


class _Cancellation:
    """Whether a call was cancelled and whom to tell; shared by a context and all made from it."""

    def __init__(self) -> None:
        # Reentrant, because a signal handler may cancel while the same thread registers a callback.
        self.lock = threading.RLock()
        self.event = threading.Event()
        self.callbacks: dict[object, Callable[[], None]] = {}

    def cancel(self) -> None:
        with self.lock:
            if self.event.is_set():
                return
            self.event.set()
            callbacks, self.callbacks = list(self.callbacks.values()), {}
        for callback in callbacks:
            # One broken callback must not keep the others from stopping their statements.
            with suppress(Exception):
                callback()

    def expire(self, key: object) -> None:
        with self.lock:
            callback = self.callbacks.pop(key, None)
        if callback is not None:
            with suppress(Exception):
                callback()


class _Alarm:
    """One thread for all deadlines of the process, started with the first and ended when none is left."""

    def __init__(self) -> None:
        self._condition = threading.Condition(threading.RLock())
        self._waiting: list[tuple[float, int, _Cancellation, object]] = []
        self._running = False
        self._count = 0

    def add(self, deadline: float, cancellation: _Cancellation, key: object) -> None:
        with self._condition:
            self._count += 1
            if self._count % 1024 == 0:  # registrations taken back long before their deadline pile up
                self._waiting = [entry for entry in self._waiting if entry[3] in entry[2].callbacks]
                heapq.heapify(self._waiting)
            heapq.heappush(self._waiting, (deadline, self._count, cancellation, key))
            if not self._running:
                self._running = True
                threading.Thread(target=self._run, name="kolumn-deadlines", daemon=True).start()
            elif self._waiting[0][1] == self._count:
                self._condition.notify()

    def _run(self) -> None:
        while True:
            with self._condition:
                while self._waiting and self._waiting[0][3] not in self._waiting[0][2].callbacks:
                    heapq.heappop(self._waiting)
                if not self._waiting:
                    self._running = False
                    return
                deadline, _, cancellation, key = self._waiting[0]
                if (left := deadline - time.monotonic()) > 0:
                    self._condition.wait(left)
                    continue
                heapq.heappop(self._waiting)
            cancellation.expire(key)


_ALARM = _Alarm()


class Context:
    """The deadline and cancellation of one call. Safe to use from several threads.

    Contexts made by `with_timeout` share the cancellation of the one they come from: cancelling one cancels
    all of them. A deadline is a reading of `time.monotonic()`, in seconds.
    """

    __slots__ = ("_cancellation", "deadline")

    def __init__(self, deadline: float | None = None, *, _cancellation: _Cancellation | None = None) -> None:
        self.deadline = deadline
        self._cancellation = _cancellation or _Cancellation()

    @classmethod
    def background(cls) -> Context:
        """Return a context without a deadline."""
        return cls()

    def with_timeout(self, seconds: float) -> Context:
        """Return a context that ends `seconds` from now, or with this one if that is sooner."""
        deadline = time.monotonic() + seconds
        if self.deadline is not None:
            deadline = min(deadline, self.deadline)
        return Context(deadline, _cancellation=self._cancellation)

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called; a passed deadline does not count."""
        return self._cancellation.event.is_set()

    def cancel(self) -> None:
        """Stop the call: run the registered callbacks, once, in this thread. Signal handlers may call it."""
        self._cancellation.cancel()

    def remaining(self) -> float | None:
        """Return the seconds left, 0.0 when the deadline has passed, None without one."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    def check(self) -> None:
        """Raise OperationError with code `cancelled` or `deadline_exceeded` if the call must end."""
        if self.cancelled:
            raise OperationError("The operation was cancelled.", code="cancelled")
        if self.deadline is not None and time.monotonic() >= self.deadline:
            raise OperationError(
                "The operation took longer than it may. Raise its timeout, or look for what blocks it.",
                code="deadline_exceeded",
            )

    def wait(self, seconds: float) -> None:
        """Sleep, but no longer than the call may take; raises as `check` does."""
        left = self.remaining()
        self._cancellation.event.wait(seconds if left is None else min(seconds, left))
        self.check()

    def on_cancel(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` when the call is cancelled or its deadline passes, so that it stops what runs.

        It runs at most once, as a rule in another thread, and at once if the call has ended already; its
        exceptions are swallowed. Returns a function that takes the registration back (twice does no harm).
        A callback already under way when that is called may still finish after it.
        """
        cancellation, key = self._cancellation, object()
        left = self.remaining()
        with cancellation.lock:
            over = cancellation.event.is_set() or left == 0.0
            if not over:
                cancellation.callbacks[key] = callback
        if over:
            with suppress(Exception):
                callback()
        elif self.deadline is not None:
            _ALARM.add(self.deadline, cancellation, key)

        def unregister() -> None:
            with cancellation.lock:
                cancellation.callbacks.pop(key, None)

        return unregister
