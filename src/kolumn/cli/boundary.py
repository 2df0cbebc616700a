"""Around every command: streams, logging, interruption, and errors as text or JSON with an exit code."""

from __future__ import annotations

import argparse
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType

from kolumn.cli.console import Console
from kolumn.contract.context import Context
from kolumn.contract.errors import KolumnError
from kolumn.contract.logs import configure_logging
from kolumn.contract.masking import mask

Run = Callable[[argparse.Namespace, Console], int]

FAILED, INTERRUPTED, TERMINATED = 1, 130, 143


def guarded(command: str, run: Run, arguments: argparse.Namespace) -> int:
    """Run a command; every failure is said in one way, and none is a traceback."""
    console = Console.of(command, json=arguments.json, no_color=arguments.no_color)
    collecting = gc.isenabled()
    gc.disable()  # a command is short and its data has no cycles: looking for some costs as much as a plan
    try:
        # What goes wrong is said once, by the error; records are for those who ask for them.
        level = arguments.log_level or ("" if os.environ.get("KOLUMN_LOG") else "off")
        configure_logging(level, arguments.log_format)
        return run(arguments, console)
    except KolumnError as error:
        console.error(error)
        return FAILED
    except (BrokenPipeError, KeyboardInterrupt):
        raise
    except RecursionError:
        console.failure("The input is nested too deeply.")
        return FAILED
    except Exception as error:  # noqa: BLE001 - whatever it is, the person gets a sentence
        if os.environ.get("KOLUMN_LOG", "").lower() == "debug" or arguments.log_level == "debug":
            import traceback

            sys.stderr.write(mask(traceback.format_exc()))
        console.failure(
            f"Kolumn failed in a way it should not: {type(error).__name__}: {mask(str(error))}\n"
            "KOLUMN_LOG=debug shows where; please report it."
        )
        return FAILED
    finally:
        if collecting:
            gc.enable()


asking = threading.Event()
"""Set while a person is asked and nothing was started yet: an interruption then just ends the process."""


def interruptible(context: Context, console: Console, work: Callable[[], int]) -> int:
    """Run `work` so that Ctrl-C and SIGTERM cancel `context`, and with it a statement that is running.

    The work runs in a thread of its own: a signal is handled between two instructions of the main thread, and
    that one must not be waiting inside a database driver. The second signal ends the process at once; what an
    apply has done by then is found by the next one.
    """
    if threading.current_thread() is not threading.main_thread():
        return work()
    outcome: list[int | BaseException] = []
    received: list[int] = []

    def target() -> None:
        try:
            outcome.append(work())
        except BaseException as error:  # noqa: BLE001 - raised again in the main thread
            outcome.append(error)

    def handle(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        if asking.is_set():
            console.note("\nNothing was changed.")
        if len(received) > 1 or asking.is_set():
            os._exit(INTERRUPTED if number == signal.SIGINT else TERMINATED)
        console.note("\nStopping. Once more to end at once.")
        threading.Thread(target=context.cancel, daemon=True).start()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    worker = threading.Thread(target=target, name=f"kolumn-{console.command}", daemon=True)
    try:
        worker.start()
        worker.join()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    result = outcome[0]
    code = (INTERRUPTED if received[0] == signal.SIGINT else TERMINATED) if received else None
    if isinstance(result, BaseException):
        if code is not None and isinstance(result, KolumnError):
            console.error(result)
            return code
        raise result
    return result if code is None or result == 0 else code
