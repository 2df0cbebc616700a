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
