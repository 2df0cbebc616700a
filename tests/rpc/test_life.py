"""The life of a provider's process: slow to start, broken, crashing, hanging, left alone, many at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kolumn.contract.context import Context
from kolumn.contract.errors import KolumnError, OperationError, ValidationError
from kolumn.contract.logs import configure_logging
from kolumn.rpc.client import Launch, Limits, RemoteProvider, visible
from kolumn.rpc.protocol import MESSAGE_LIMIT
from tests.command import environment
from tests.rpc.processes import alive, left_over, providers, until
from tests.rpc.providers import executable

QUICK = Limits(start=20, unwind=0.5, close=2, leave=1)
Open = Callable[..., RemoteProvider]


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[Open]:
    """Return a function that writes an odd provider and gives it as a remote one; no process survives it."""
    opened: list[RemoteProvider] = []
    before = providers()

    def open_one(
        body: str = "", *, before: str = "", limits: Limits = QUICK, name: str = "odd"
    ) -> RemoteProvider:
        path = executable(tmp_path / str(len(opened)), name, body, before=before)
        launch = Launch(command=(str(path),), label=name, environment=visible(os.environ))
        opened.append(RemoteProvider(launch, limits))
        return opened[-1]

    yield open_one
    for each in opened:
        each.close()
    assert until(lambda: not left_over(before)), "a process is left over"


def call(provider: RemoteProvider, seconds: float | None = None, function: str = "Plan") -> bytes:
    context = Context.background()
    return provider.call_function(
        context if seconds is None else context.with_timeout(seconds), function, b"{}"
    )


def failing(provider: RemoteProvider, seconds: float | None = None) -> KolumnError:
    with pytest.raises(KolumnError) as caught:
        call(provider, seconds)
    return caught.value


def test_one_that_never_says_it_is_ready_is_given_up(remote: Open) -> None:
    provider = remote(
        before="sys.stderr.write('thinking\\n'); sys.stderr.flush(); time.sleep(60)", limits=Limits(start=1.5)
    )
    started = time.monotonic()
    with pytest.raises(OperationError, match=r"did not say within 1\.5 seconds.*thinking") as caught:
        provider.schema()
    assert caught.value.code == "provider_start_timeout"
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    ("before", "code", "words"),
    [
        ("sys.exit('no driver here')", "provider_not_started", "exit code 1.*no driver here"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "provider_not_started", "SIGKILL"),
        ("print('hello'); sys.exit(0)", "not_a_provider", "no handshake"),
        ("print('1|9|unix|/x|grpc|'); time.sleep(60)", "protocol_mismatch", "version 9"),
        ("print('1|1|unix|/x|grpc|', flush=True); time.sleep(60)", "not_a_provider", "certificate"),
    ],
)
def test_one_that_does_not_start_says_why(remote: Open, before: str, code: str, words: str) -> None:
    with pytest.raises(KolumnError, match=words) as caught:
        remote(before=before).configure(Context.background(), {})
    assert caught.value.code == code


def test_what_cannot_be_started_is_said(tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path):
        provider = RemoteProvider(Launch(command=(str(path),), label="x"))
        with pytest.raises(ValidationError) as caught:
            provider.schema()
        assert caught.value.code == "provider_not_executable"


def test_a_crash_in_the_middle_of_a_call_is_named_with_the_last_words(remote: Open) -> None:
    provider = remote("""
    def call_function(self, context, function, input):
        if function == "Ping":
            return b"{}"
        sys.stderr.write("the driver is unhappy\\n")
        sys.stderr.flush()
        os.kill(os.getpid(), signal.SIGSEGV)
        time.sleep(60)
    """)
    provider.configure(Context.background(), {})
    error = failing(provider)
    assert isinstance(error, OperationError)
    assert error.code == "provider_crashed"
    assert "Provider odd failed in the middle of Plan" in error.message
    assert "SIGSEGV" in error.message
    assert "the driver is unhappy" in error.message
    assert error.details["log"][-1] == "the driver is unhappy"
    # the next call has a new process
    assert call(provider, function="Ping") == b"{}"


def test_a_crash_is_no_leak(remote: Open, tmp_path: Path) -> None:
    """What was secret in the provider's last words is not in the error."""
    provider = remote("""
    def call_function(self, context, function, input):
        sys.stderr.write("connecting to postgres://u:Hunter2zebra@db/x password=Hunter2zebra\\n")
        sys.stderr.flush()
        os._exit(3)
    """)
    error = failing(provider)
    assert "exit code 3" in error.message
    assert "Hunter2zebra" not in str(error) + json.dumps(error.details)
    assert "[REDACTED]" in error.message


def test_one_that_ignores_its_deadline_is_ended(remote: Open) -> None:
    provider = remote("""
    def call_function(self, context, function, input):
        time.sleep(60)
    """)
    pid = provider.pid
    started = time.monotonic()
    error = failing(provider, 0.5)
    assert error.code == "deadline_exceeded"
    assert "did not end it within 0.5 seconds" in error.message
    assert 0.9 < time.monotonic() - started < 15
    assert not alive(pid)


def test_one_that_ignores_sigterm_as_well_is_killed(remote: Open) -> None:
    provider = remote(
        """
    def configure(self, context, config):
        os.kill(os.getpid(), signal.SIGSTOP)
    """
    )
    pid = provider.pid
    with pytest.raises(OperationError) as caught:
        provider.configure(Context.background().with_timeout(0.5), {})
    assert caught.value.code == "deadline_exceeded"
    assert not alive(pid)


def test_a_deadline_that_is_kept_brings_the_answer(remote: Open) -> None:
    """The provider ends the call itself and says what became of it: an answer, or its own error."""
    provider = remote(
        """
    def call_function(self, context, function, input):
        try:
            context.wait(30)
        except OperationError as error:
            if function == "Apply":
                return b'{"undone": true, "why": "%s"}' % error.code.encode()
            raise
    """,
        limits=Limits(unwind=10),
    )
    pid = provider.pid
    assert json.loads(call(provider, 0.5, "Apply")) == {"undone": True, "why": "deadline_exceeded"}
    assert failing(provider, 0.5).code == "deadline_exceeded"
    context = Context.background()
    timer = threading.Timer(0.3, context.cancel)
    timer.start()
    answer = provider.call_function(context, "Apply", b"{}")
    assert json.loads(answer) == {"undone": True, "why": "cancelled"}
    assert provider.pid == pid


def test_an_error_of_the_provider_itself_is_an_operation_error(remote: Open) -> None:
    provider = remote("""
    def call_function(self, context, function, input):
        raise RuntimeError("oops")
    """)
    error = failing(provider)
    assert isinstance(error, OperationError)
    assert error.code == "internal_error"
    assert "RuntimeError: oops" in error.message


def test_close_ends_the_process_even_one_that_hangs(remote: Open) -> None:
    quick = remote()
    hanging = remote("""
    def close(self):
        time.sleep(60)
    """)
    for provider in (quick, hanging):
        pid = provider.pid
        provider.schema()
        started = time.monotonic()
        provider.close()
        assert time.monotonic() - started < 12
        assert not alive(pid)
        provider.close()


def test_one_that_nobody_closes_ends_with_its_last_reference(remote: Open, tmp_path: Path) -> None:
    path = executable(tmp_path / "x", "odd", "")
    provider = RemoteProvider(Launch(command=(str(path),), label="odd", environment=visible(os.environ)))
    pid = provider.pid
    assert alive(pid)
    del provider
    assert until(lambda: not alive(pid))


def test_many_start_at_once(remote: Open) -> None:
    """Eight that each take four seconds to start are there long before eight times four."""
    several = [remote(before="time.sleep(4)") for _ in range(8)]
    for provider in several:
        provider.start()
    started = time.monotonic()
    pids = {provider.pid for provider in several}
    assert len(pids) == 8
    assert time.monotonic() - started < 26
    assert {provider.schema().name for provider in several} == {"odd"}


def test_large_messages_pass_and_too_large_ones_are_refused(remote: Open) -> None:
    provider = remote("""
    def call_function(self, context, function, input):
        return bytes(int(input)) if function == "Make" else b"%d" % len(input)
    """)
    background = Context.background()
    large = bytes(30_000_000)
    assert provider.call_function(background, "Measure", large) == b"30000000"
    assert len(provider.call_function(background, "Make", b"30000000")) == 30_000_000
    for function, request in (("Measure", bytes(MESSAGE_LIMIT)), ("Make", b"%d" % MESSAGE_LIMIT)):
        with pytest.raises(KolumnError, match="256 MiB"):
            provider.call_function(background, function, request)
    assert provider.call_function(background, "Measure", b"1") == b"1"


def test_an_error_with_thousands_of_faults_arrives(remote: Open) -> None:
    provider = remote("""
    def call_function(self, context, function, input):
        from kolumn.contract.errors import Problem, ValidationError
        raise ValidationError.of([Problem(f"fault {n} " + "x" * 100, code="odd") for n in range(1500)])
    """)
    assert len(failing(provider).problems) == 1500


def test_a_child_sees_no_credentials(remote: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGPASSWORD", "MY_PASSWORD", "AWS_SECRET_ACCESS_KEY", "KOLUMN_SQLITE_URL", "SOME_VALUE"):
        monkeypatch.setenv(name, "Hunter2zebra")
    monkeypatch.setenv("PGSERVICEFILE", "postgres://u:Hunter2zebra@db/x")
    monkeypatch.setenv("PGHOST", "db.example")
    monkeypatch.setenv("WANTED", "this one")
    monkeypatch.setenv("KOLUMN_PROVIDER_ENV", "WANTED, NOT_THERE")
    provider = remote("""
    def configure(self, context, config):
        self.config = config

    def call_function(self, context, function, input):
        import json
        words = open("/proc/self/cmdline").read()
        return json.dumps({"environ": dict(os.environ), "words": words, "config": self.config}).encode()
    """)
    provider.configure(Context.background(), {"password": "Hunter2zebra"})
    seen = json.loads(call(provider))
    assert seen["config"] == {"password": "Hunter2zebra"}
    assert "Hunter2zebra" not in json.dumps(seen["environ"]) + seen["words"]
    assert seen["environ"]["PGHOST"] == "db.example"
    assert seen["environ"]["WANTED"] == "this one"
    assert not [name for name in seen["environ"] if name.startswith("PLUGIN_")]


def test_its_records_come_through_the_host(remote: Open, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("debug", "json")
    try:
        provider = remote("""
    def call_function(self, context, function, input):
        from kolumn.contract.logs import HandlerLogger
        HandlerLogger.debug("step", description="make it", token="abc")
        sys.stderr.write("raw words with password=Hunter2zebra\\n")
        sys.stderr.flush()
        return b"{}"
    """)
        call(provider)
        provider.close()
    finally:
        configure_logging()
    records = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    step = next(each for each in records if each["event"] == "step")
    assert (step["level"], step["logger"], step["provider"]) == ("debug", "HandlerLogger", "odd")
    assert step["token"] == "[REDACTED]"
    raw = next(each for each in records if "raw words" in each["event"])
    assert raw["event"] == "raw words with password=[REDACTED]"


HOST = """
import json, os, sys
from kolumn.contract.context import Context
from kolumn.rpc.client import Launch, RemoteProvider, visible

launch = Launch(command=tuple(json.loads(sys.argv[1])), label="x", environment=visible(os.environ))
provider = RemoteProvider(launch)
provider.configure(Context.background(), json.loads(sys.argv[2]))
print(provider.pid, flush=True)
provider.call_function(Context.background(), sys.argv[3], sys.argv[4].encode())
print("done", flush=True)
"""


def host(command: tuple[str, ...], settings: Any, function: str, request: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HOST, json.dumps(command), json.dumps(settings), function, request],
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_provider_whose_host_is_gone_ends_the_call_and_itself(
    tmp_path: Path, number: signal.Signals
) -> None:
    mark = tmp_path / "mark"
    path = executable(
        tmp_path,
        "waiting",
        f"""
    def call_function(self, context, function, input):
        open({str(mark)!r}, "w").write("begun")
        try:
            context.wait(60)
        finally:
            open({str(mark)!r}, "w").write("rolled back")

    def close(self):
        open({str(mark)!r}, "a").write(", closed")
    """,
    )
    process = host((str(path),), {}, "Apply", "{}")
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    assert until(lambda: mark.exists() and mark.read_text() == "begun")
    process.send_signal(number)
    process.wait()
    assert until(lambda: not alive(pid), 8)
    assert mark.read_text() == "rolled back, closed"
    process.stdout.close()


def test_a_transaction_of_a_killed_host_is_rolled_back(tmp_path: Path) -> None:
    """SQLite, for real: the host dies in the middle of an apply that is waiting for another connection's lock."""
    import sqlite3

    file = tmp_path / "x.db"
    with sqlite3.connect(file) as other:
        other.execute("CREATE TABLE there (id INTEGER)")
    other.isolation_level = None
    settings = {"path": str(file), "busy_timeout": 60, "safe_destroy": False}
    other.execute("BEGIN IMMEDIATE")
    table = {"resource_type": "table", "name": "t", "action": "create"}
    table["config"] = {"columns": [{"name": "id", "type": "INTEGER"}]}
    process = host(
        (sys.executable, "-m", "kolumn.rpc", "sqlite"), settings, "Apply", json.dumps({"resources": [table]})
    )
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    time.sleep(0.5)
    process.kill()
    process.wait()
    assert until(lambda: not alive(pid), 8)
    other.execute("COMMIT")
    assert other.execute("SELECT name FROM sqlite_master WHERE name = 't'").fetchall() == []
    other.close()
    process.stdout.close()


_NO_UNIX_SOCKETS = """
import asyncio, socket


class Elsewhere(asyncio.DefaultEventLoopPolicy):
    def new_event_loop(self):
        loop = super().new_event_loop()  # on this system it needs one itself
        del socket.AF_UNIX
        return loop


asyncio.set_event_loop_policy(Elsewhere())
"""


def test_without_unix_sockets_it_listens_on_loopback(remote: Open) -> None:
    provider = remote(
        """
        def call_function(self, context, function, input):
            import socket
            return b'{"unix": %d}' % hasattr(socket, "AF_UNIX")
        """,
        before=_NO_UNIX_SOCKETS,
    )
    assert json.loads(call(provider)) == {"unix": 0}
    process = Path(f"/proc/{provider.pid}")
    opened = {str(each.readlink()) for each in (process / "fd").iterdir()}
    sockets = [line.split() for line in (process / "net" / "tcp").read_text().splitlines()[1:]]
    own = [fields for fields in sockets if f"socket:[{fields[9]}]" in opened]
    listening = "0A"
    assert {fields[1].partition(":")[0] for fields in own if fields[3] == listening} == {"0100007F"}
