"""Calls of the contract: each in a thread of its own, as long as its deadline and its caller allow."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, TypeAlias

from grpclib.server import Stream

from kolumn.contract.context import Context
from kolumn.contract.errors import KolumnError, OperationError
from kolumn.contract.logs import DispatchLogger
from kolumn.contract.provider import Provider
from kolumn.rpc.protocol import CALL_KEY
from kolumn.rpc.status import to_status

AnyStream: TypeAlias = "Stream[Any, Any]"
Work: TypeAlias = Callable[[Provider, Context], Any]
"""Makes the call and returns the message to answer with."""

_THREADS: Final = 16
_IDLE: Final = 1.0
"""Seconds without a call after which memory is looked through for cycles."""


class Calls:
    """What runs in this process."""

    def __init__(self, factory: Callable[[], Provider]) -> None:
        self._pool = ThreadPoolExecutor(_THREADS, "kolumn-call")
        # Being made while the host connects; importing a driver takes its time.
        self._provider: Future[Provider] = self._pool.submit(factory)
        self._running: dict[Context, str] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._collecting: asyncio.TimerHandle | None = None

    async def answer(self, stream: AnyStream, work: Work) -> None:
        """Make a call and answer it with its message, or with the status of its error.

        At its deadline the provider ends it itself and still says what became of it. A caller that has gone,
        or has cancelled, gets no answer, but the call is waited for: it has a transaction to roll back.
        """
        context = Context.background()
        if stream.deadline is not None:
            context = context.with_timeout(stream.deadline.time_remaining())
        self._begin(context, str(stream.metadata.get(CALL_KEY, "")) if stream.metadata else "")
        future = asyncio.get_running_loop().run_in_executor(self._pool, self._make, work, context)
        interrupted = left = False
        try:
            while not future.done():
                try:
                    await asyncio.wait({future})
                except asyncio.CancelledError:
                    interrupted = True
                    if stream.deadline is None or stream.deadline.time_remaining() > 0:
                        left = True
                        context.cancel()
        finally:
            self._end(context)
        if not left:
            await _send(stream, future)
        else:
            future.exception()
        if interrupted:
            raise asyncio.CancelledError

    def stop(self, call: str) -> None:
        """Cancel the calls of that name; they answer as cancelled calls do."""
        for context, name in list(self._running.items()):
            if name == call:
                threading.Thread(target=context.cancel, daemon=True).start()

    async def close(self, patience: float) -> None:
        """Cancel everything, wait `patience` seconds for its end, close the provider."""
        for context in list(self._running):
            threading.Thread(target=context.cancel, daemon=True).start()
        try:
            async with asyncio.timeout(patience):
                await self._idle.wait()
                loop = asyncio.get_running_loop()
                await loop.run_in_executor(None, self._close)
        except TimeoutError:
            DispatchLogger.warn("calls do not end; the process does")

    def _make(self, work: Work, context: Context) -> Any:
        try:
            return work(self._provider.result(), context)
        except KolumnError:
            raise
        except Exception as error:
            DispatchLogger.error("internal error", error=repr(error), exc_info=True)
            raise OperationError(
                f"internal error of the provider: {type(error).__name__}: {error}. Please report it to whoever "
                "wrote the provider.",
                code="internal_error",
            ) from error

    def _close(self) -> None:
        if self._provider.done() and self._provider.exception() is None:
            self._provider.result().close()

    def _begin(self, context: Context, name: str) -> None:
        self._running[context] = name
        self._idle.clear()
        if self._collecting is not None:
            self._collecting.cancel()

    def _end(self, context: Context) -> None:
        del self._running[context]
        if not self._running:
            self._idle.set()
            self._collecting = asyncio.get_running_loop().call_later(_IDLE, gc.collect)


async def _send(stream: AnyStream, future: asyncio.Future[Any]) -> None:
    try:
        message = future.result()
        await stream.send_message(message)
    except KolumnError as error:
        status = to_status(error)
        await stream.send_trailing_metadata(
            status=status.status, status_message=status.message, status_details=status.details
        )
    else:
        await stream.send_trailing_metadata()
