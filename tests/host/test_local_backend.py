from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from kolumn.contract import identity
from kolumn.contract.errors import StateError
from kolumn.contract.times import Timestamp
from kolumn.host.backends import Holder
from kolumn.host.backends.local import KEPT, LocalBackend


def holder(command: str = "apply") -> Holder:
    return Holder(os.getpid(), identity.host(), identity.user(), command, Timestamp.utc_now())


def test_nothing_is_created_by_looking(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path)

    assert backend.read() is None
    assert backend.history() == ()
    assert list(tmp_path.iterdir()) == []


def test_every_write_is_a_serial_that_can_be_read_back(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path)
    for serial in range(1, 5):
        entry = backend.write(b'{"n":%d}' % serial, lineage="a", parent=serial - 1, reason="apply")
        assert entry.serial == serial

    latest = backend.read()
    assert latest is not None
    assert (latest.entry.serial, latest.body) == (4, b'{"n":4}')
    assert [backend.read_serial(serial).body for serial in (1, 2, 3)] == [b'{"n":1}', b'{"n":2}', b'{"n":3}']
    assert [entry.serial for entry in backend.history()] == [4, 3, 2, 1]
    with pytest.raises(StateError, match="serial 9"):
        backend.read_serial(9)


def test_only_the_owner_can_read_it_and_it_stays_out_of_version_control(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path)
    backend.write(b"{}", lineage="a", parent=0, reason="apply")

    assert stat.S_IMODE(Path(backend.location).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / ".kolumn").stat().st_mode) == 0o700
    assert "*" in (tmp_path / ".kolumn" / ".gitignore").read_text().splitlines()


def test_a_write_that_others_overtook_is_refused(tmp_path: Path) -> None:
    first, second = LocalBackend(tmp_path), LocalBackend(tmp_path)
    first.write(b"{}", lineage="a", parent=0, reason="apply")
    second.write(b'{"x":1}', lineage="a", parent=1, reason="apply")

    with pytest.raises(StateError, match="serial 2") as caught:
        first.write(b'{"y":1}', lineage="a", parent=1, reason="apply")

    assert caught.value.code == "stale_state"
    latest = first.read()
    assert latest is not None
    assert latest.body == b'{"x":1}'


def test_another_lineage_is_refused_unless_forced(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path)
    backend.write(b"{}", lineage="a", parent=0, reason="apply")

    with pytest.raises(StateError) as caught:
        backend.write(b"{}", lineage="b", parent=1, reason="state push")
    assert caught.value.code == "lineage_mismatch"

    assert backend.write(b"{}", lineage="b", parent=1, reason="state push", force=True).lineage == "b"


def test_history_is_bounded(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path)
    for serial in range(KEPT + 7):
        backend.write(b"{}", lineage="a", parent=serial, reason="apply")

    kept = backend.history()
    assert len(kept) == KEPT
    assert kept[-1].serial == 8


def test_old_states_are_compressed(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path)
    body = b'{"text":"' + b"kolumn" * 20_000 + b'"}'
    for serial in range(10):
        backend.write(body, lineage="a", parent=serial, reason="apply")

    assert Path(backend.location).stat().st_size < 3 * len(body)
    assert backend.read_serial(1).body == body


def test_a_damaged_file_is_a_state_error_that_says_what_to_do(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path)
    backend.write(b"{}", lineage="a", parent=0, reason="apply")
    Path(backend.location).write_bytes(b"this is no database" * 100)

    with pytest.raises(StateError, match="damaged"):
        backend.read()


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path)
    backend.write(b"{}", lineage="a", parent=0, reason="apply")
    with sqlite3.connect(backend.location) as database:
        database.execute("PRAGMA user_version = 99")

    with pytest.raises(StateError, match="newer version"):
        backend.read()


def test_the_lock_says_who_holds_it(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path)
    with (
        backend.lock(holder("destroy"), 0),
        pytest.raises(StateError, match=rf"kolumn destroy.*process {os.getpid()}") as caught,
        LocalBackend(tmp_path).lock(holder(), 0),
    ):
        pass
    assert caught.value.code == "locked"
    with backend.lock(holder(), 0):
        pass


HOLD = """
import os, sys, time
from pathlib import Path
from kolumn.contract.times import Timestamp
from kolumn.host.backends import Holder
from kolumn.host.backends.local import LocalBackend
with LocalBackend(Path(sys.argv[1])).lock(Holder(os.getpid(), "h", "u", "apply", Timestamp.utc_now()), 0):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def hold(folder: Path, seconds: float) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(HOLD), str(folder), str(seconds)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_lock_of_another_process_is_waited_for(tmp_path: Path) -> None:
    process = hold(tmp_path, 0.5)
    started = time.monotonic()
    with LocalBackend(tmp_path).lock(holder(), 20):
        assert time.monotonic() - started > 0.2
    process.wait()


def test_the_lock_dies_with_its_process(tmp_path: Path) -> None:
    process = hold(tmp_path, 60)
    with pytest.raises(StateError, match=f"process {process.pid}"), LocalBackend(tmp_path).lock(holder(), 0):
        pass
    process.kill()
    process.wait()
    with LocalBackend(tmp_path).lock(holder(), 5):
        pass


WRITE = """
import sys
from pathlib import Path
from kolumn.host.backends.local import LocalBackend
backend = LocalBackend(Path(sys.argv[1]))
latest = backend.read()
serial = latest.entry.serial if latest else 0
while True:
    body = b'{"n":%d,"pad":"' % (serial + 1) + b"x" * 200_000 + b'"}'
    serial = backend.write(body, lineage="a", parent=serial, reason="apply").serial
    print(serial, flush=True)
"""


def test_a_killed_writer_leaves_a_whole_state(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path)
    for round_ in range(8):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITE, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        acknowledged = int(process.stdout.readline())
        time.sleep(0.013 * round_)
        process.kill()
        for line in process.stdout.read().split():
            acknowledged = int(line)
        process.wait()

        latest = backend.read()
        assert latest is not None
        assert latest.entry.serial in (acknowledged, acknowledged + 1)
        assert latest.body.startswith(b'{"n":%d,' % latest.entry.serial)
        assert latest.entry.size == len(latest.body)


def tampered(backend: LocalBackend, change: str, *parameters: object) -> StateError:
    with sqlite3.connect(backend.location) as database:
        database.execute(change, parameters)
    database.close()
    with pytest.raises(StateError) as caught:
        backend.read()
    return caught.value


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("UPDATE state SET body = replace(CAST(body AS TEXT), 'users', 'userz')", "checksum does not match"),
        ("UPDATE state SET body = substr(body, 1, 5)", "bytes instead of"),
        ("UPDATE state SET lineage = 'b'", "checksum does not match"),
        ("UPDATE state SET reason = 'nothing'", "checksum does not match"),
        ("UPDATE state SET checksum = NULL", "checksum is missing"),
        ("UPDATE state SET written_at = 'today'", "cannot be read"),
        ("UPDATE state SET encoding = 'zlib'", "cannot be read"),
    ],
)
def test_a_state_that_was_edited_is_named(tmp_path: Path, change: str, fault: str) -> None:
    backend = LocalBackend(tmp_path)
    backend.write(b'{"table":"users"}', lineage="a", parent=0, reason="apply")

    error = tampered(backend, change)

    assert error.code == "state_tampered"
    assert fault in error.message
    assert "serial 1" in error.message


def test_an_edited_state_is_read_by_who_trusts_it_and_earlier_ones_by_all(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path)
    backend.write(b'{"n":1}', lineage="a", parent=0, reason="apply")
    backend.write(b'{"n":2}', lineage="a", parent=1, reason="apply")

    tampered(backend, "UPDATE state SET body = '{\"n\":9}' WHERE serial = 2")

    trusted = backend.read(trusting=True)
    assert trusted is not None
    assert trusted.body == b'{"n":9}'
    assert backend.read_serial(1).body == b'{"n":1}'
    backend.write(b'{"n":3}', lineage="a", parent=2, reason="state repair")
    latest = backend.read()
    assert latest is not None
    assert latest.body == b'{"n":3}'


def test_a_file_from_before_there_were_checksums_is_read_and_gets_them(tmp_path: Path) -> None:
    (tmp_path / ".kolumn").mkdir()
    with sqlite3.connect(tmp_path / ".kolumn" / "state.db") as database:
        database.execute(
            "CREATE TABLE state (serial INTEGER PRIMARY KEY, lineage TEXT NOT NULL, written_at TEXT NOT NULL, "
            "writer TEXT NOT NULL, reason TEXT NOT NULL, size INTEGER NOT NULL, encoding TEXT NOT NULL, "
            "body BLOB NOT NULL)"
        )
        database.execute(
            "INSERT INTO state VALUES (1, 'a', '2026-01-01T00:00:00Z', 'u@h', 'apply', 7, 'plain', ?)",
            (b'{"n":1}',),
        )
        database.execute("PRAGMA user_version = 1")
    database.close()
    backend = LocalBackend(tmp_path)
    latest = backend.read()
    assert latest is not None
    assert (latest.entry.serial, latest.body) == (1, b'{"n":1}')

    backend.write(b'{"n":2}', lineage="a", parent=1, reason="apply")

    assert backend.read_serial(1).body == b'{"n":1}'
    assert tampered(backend, "UPDATE state SET body = '{\"n\":9}' WHERE serial = 2").code == "state_tampered"
