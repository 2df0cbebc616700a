"""Log records: shape, levels, and no secret whatever the caller passes."""

import io
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kolumn.contract import logs
from kolumn.contract.errors import ValidationError
from kolumn.contract.logs import (
    ConfigLogger,
    ConnectionLogger,
    HandlerLogger,
    StateLogger,
    bound,
    configure_logging,
    register_secret,
    subscribe,
)
from kolumn.contract.secrets import SecureString

PLANTED = "hunter2-correct-horse"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    out = io.StringIO()
    configure_logging("debug", "json", out, provider="sqlite")
    yield out
    configure_logging("off")


def records(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_records_are_structured(stream: io.StringIO) -> None:
    HandlerLogger.info("Creating table", "table", "users", "columns", 3, took=timedelta(seconds=1.5))
    (record,) = records(stream)
    assert record.pop("timestamp").endswith("Z")
    assert record == {
        "level": "info", "logger": "HandlerLogger", "event": "Creating table", "provider": "sqlite",
        "table": "users", "columns": 3, "took": 1.5,
    }  # fmt: skip


def test_levels_decide(stream: io.StringIO) -> None:
    for level in ("debug", "info", "warn", "error", "off"):
        configure_logging(level, "json", stream)
        for name in ("debug", "info", "warn", "error"):
            getattr(StateLogger, name)(level)
    counts = [record["event"] for record in records(stream)]
    assert {level: counts.count(level) for level in ("debug", "info", "warn", "error", "off")} == {
        "debug": 4, "info": 3, "warn": 2, "error": 1, "off": 0,
    }  # fmt: skip


def test_the_environment_decides_the_level(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOLUMN_LOG", "INFO")
    configure_logging(format="json", stream=stream)
    ConfigLogger.info("seen")
    ConfigLogger.debug("not seen")
    assert [record["event"] for record in records(stream)] == ["seen"]
    monkeypatch.setenv("KOLUMN_LOG", "loud")
    with pytest.raises(ValidationError, match="KOLUMN_LOG='loud'"):
        configure_logging()


@pytest.mark.parametrize("form", ["json", "text"])
def test_no_secret_is_written(form: logs.Format) -> None:
    out, secret = io.StringIO(), SecureString(PLANTED)
    configure_logging("debug", form, out)
    seen: list[str] = []
    unsubscribe = subscribe(lambda *record: seen.append(repr(record)), "debug")
    try:
        raise ValueError(f"cannot log in with {PLANTED}")
    except ValueError as error:
        ConnectionLogger.error("Failed", error=error, exc_info=True)
    ConnectionLogger.info(
        f"Connecting to postgres://u:{PLANTED}@h/d", PLANTED, PLANTED, odd=[secret, {"x": PLANTED}]
    )
    ConnectionLogger.info(
        "Connecting", secret=secret, value=secret, raw=PLANTED.encode(), path=Path("/x") / PLANTED
    )
    secret.clear()
    ConnectionLogger.info(
        "Connecting", "password", PLANTED, api_key=PLANTED, nested={"token": [PLANTED]}, text=f"pwd={PLANTED}"
    )
    register_secret(PLANTED)
    ConnectionLogger.info(f"Connected {PLANTED}", PLANTED)
    unsubscribe()
    configure_logging("off")
    text = out.getvalue() + "".join(seen)
    assert len(out.getvalue().splitlines()) == len(seen) == 5
    assert PLANTED not in text
    assert "horse" not in text


def test_text_records_are_one_printable_line_each() -> None:
    out = io.StringIO()
    configure_logging("info", "text", out)
    HandlerLogger.info(
        "Creating\ntable\x1b[31m", table="a\nlevel=error forged", odd={"x y": 1}, **{"a b=": 1}
    )
    configure_logging("off")
    (line,) = out.getvalue().splitlines()
    assert line.isprintable()
    assert "level=info logger=HandlerLogger" in line


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.text(max_size=8), st.none() | st.integers() | st.text() | st.binary() | st.floats(), max_size=4
    ),
    st.sampled_from(["json", "text"]),
)
def test_any_fields_make_one_line(fields: dict[str, Any], form: logs.Format) -> None:
    out = io.StringIO()
    configure_logging("info", form, out)
    HandlerLogger.info("Event", **fields)
    configure_logging("off")
    assert out.getvalue().count("\n") == 1


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_odd_values_do_not_stop_the_work(stream: io.StringIO) -> None:
    HandlerLogger.info("Event", "lonely", value=Unprintable(), event="mine", level="mine", nan=float("nan"))
    (record,) = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert record["event"] == "Event"
    assert record["event_"] == record["level_"] == "mine"
    assert record["extra"] == "lonely"
    assert record["value"] == "<Unprintable>"


def test_a_closed_stream_does_not_stop_the_work() -> None:
    out = io.StringIO()
    configure_logging("info", "json", out)
    out.close()
    HandlerLogger.info("Event")
    configure_logging("off")


def test_listeners_hear_what_is_not_written() -> None:
    out = io.StringIO()
    configure_logging("off", "json", out)
    heard: list[tuple[str, str, str, Mapping[str, Any]]] = []
    broken = subscribe(lambda *_: [][0])
    unsubscribe = subscribe(lambda *record: heard.append(record))
    with bound(provider="sqlite.replica"):
        HandlerLogger.info("Created table", table="users", password=PLANTED)
        HandlerLogger.debug("Detail")
    unsubscribe()
    broken()
    HandlerLogger.info("Created table")
    fields = {"provider": "sqlite.replica", "table": "users", "password": "[REDACTED]"}
    assert heard == [("HandlerLogger", "info", "Created table", fields)]
    assert out.getvalue() == ""


def test_structlog_is_imported_with_the_first_record_only() -> None:
    program = (
        "import sys; from kolumn.contract import logs, codec, functions, provider, secrets\n"
        "logs.configure_logging('warn'); logs.StateLogger.info('off'); logs.subscribe(lambda *_: None)\n"
        "logs.StateLogger.info('heard'); assert 'structlog' not in sys.modules\n"
        "logs.StateLogger.warn('on'); assert 'structlog' in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "event=on" in done.stderr
    assert done.stdout == ""
