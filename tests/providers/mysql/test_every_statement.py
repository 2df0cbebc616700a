"""A change is cut off at every statement it consists of: its connection, or its whole process with SIGKILL.

DDL commits by itself, so nothing but the order of notes and undo keeps a change whole. Each case is tried at a sample of its
statements, before the server hears of one and after it has done it; `make soak` takes all.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kolumn.contract.errors import KolumnError
from kolumn.providers.mysql import MySQLProvider
from tests import calls
from tests.client import Client, wanted
from tests.command import SOAK
from tests.conformance.migrations import LOSING, migration
from tests.servers import mysql
from tests.servers.interception import Interception, Moment
from tests.targets.mysql import TARGETS

Settings = dict[str, Any]
SAMPLE = 1
"""At how many of its statements each case is cut off, outside of a soak run."""

_COLUMNS = [{"name": "id", "type": "int", "primary_key": True}, {"name": "n", "type": "int"}]


def _table(name: str, *more: Any, **rest: Any) -> Any:
    return wanted("table", name, {"name": name, "columns": [*_COLUMNS, *more], **rest})


_OF_PARENT = {"name": "of", "columns": ["p"], "references": "parent(id)"}
_READER, _WRITER = ({"name": f"kolumn_test_{each}"} for each in ("reader", "writer"))
_BEFORE = [
    _table("parent"),
    _table("child", {"name": "p", "type": "int"}),
    wanted("index", "child_n", {"name": "child_n", "table": "child", "columns": ["n"]}),
    wanted("view", "both", {"name": "both", "definition": "SELECT n FROM child"}),
    wanted("procedure", "do_it", {"name": "do_it", "body": "BEGIN SELECT 1; END"}),
    wanted("role", "kolumn_test_reader", _READER),
    wanted("role", "kolumn_test_writer", _WRITER),
    wanted(
        "grant", "g", {"account": "kolumn_test_reader", "object": "child", "privileges": ["select", "insert"]}
    ),
]
_AFTER = [
    _table("parent", {"name": "more", "type": "varchar(10)", "default": "'x'"}, comment="Up"),
    _table(
        "child",
        {"name": "p", "type": "int"},
        foreign_keys=[_OF_PARENT],
        checks=[{"name": "small", "expression": "n < 10"}],
    ),
    wanted("index", "child_n", {"name": "child_n", "table": "child", "columns": ["n", "p"]}),
    wanted("view", "both", {"name": "both", "definition": "SELECT n, p FROM child"}),
    wanted("procedure", "do_it", {"name": "do_it", "body": "BEGIN SELECT 2; END"}),
    wanted("role", "kolumn_test_reader", _READER),
    wanted("role", "kolumn_test_writer", _WRITER),
    wanted("grant", "g", {"account": "kolumn_test_reader", "object": "child", "privileges": ["update", "insert"]}),
    wanted(
        "user",
        "kolumn_test_ann",
        {"name": "kolumn_test_ann", "member_of": ["kolumn_test_reader", "kolumn_test_writer"],
         "default_roles": ["kolumn_test_reader"]},
    ),
    _table("another"),
]  # fmt: skip
_ROWS = """
CREATE TABLE shelf (id int PRIMARY KEY, place varchar(20));
CREATE TABLE book (id int PRIMARY KEY, shelf_id int, title varchar(50) NOT NULL, price decimal(6,2),
  CONSTRAINT stands_on FOREIGN KEY (shelf_id) REFERENCES shelf (id));
CREATE TABLE visit (who varchar(20), note varchar(20), points int);
CREATE TABLE changes (number int);
CREATE VIEW titles AS SELECT title FROM book;
INSERT INTO shelf VALUES (1, 'left'), (2, 'right');
INSERT INTO book VALUES (1, 1, 'Ulysses', 20), (2, 2, 'Amerika', 10.5), (3, 2, 'Der Process', NULL);
INSERT INTO visit VALUES ('a', 'x', 1), ('a', 'x', 2), ('b', NULL, NULL);
INSERT INTO changes VALUES (0);
"""
_TRIGGERS = (
    "CREATE TRIGGER `book_changed` AFTER UPDATE ON `book` FOR EACH ROW UPDATE changes SET number = number + 1",
    "CREATE TRIGGER `visit_changed` BEFORE UPDATE ON `visit` FOR EACH ROW SET new.note = 'touched'",
)


@dataclass(frozen=True)
class Case:
    """A call that changes something."""

    begin: Callable[[Place], None]
    """Makes what is there before."""
    request: Callable[[Place], tuple[str, Mapping[str, Any]]]
    """Returns the call: function and request."""
    finish: Callable[[Place], None]
    """Does the same again after the call was cut off, whatever it left."""
    reset: Callable[[Place], None]
    """Leads from what should be there then to what was there before."""
    careful: bool = True
    """Whether what is deleted is kept."""


@dataclass
class Place:
    """A database and how to reach it."""

    product: str
    settings: Settings
    tapped: Settings
    """The settings that lead through the interception."""
    client: Client
    """One that nobody disturbs."""
    between: Interception

    def look(self) -> list[str]:
        """Return all there is, what Kolumn has made for itself left out."""
        return sorted(
            line for line in TARGETS[self.product].dump(self.settings) if "kolumn_notes" not in line
        )

    def leftovers(self) -> list[str]:
        """Return the databases of the quarantine that hold something; who is cut off may leave an empty one."""
        text = "SELECT DISTINCT table_schema FROM information_schema.tables WHERE table_schema LIKE 'kolumn\\_quarantine%'"
        return [name for (name,) in mysql.execute(self.settings["url"], text)]

    def script(self, *texts: str) -> None:
        """Run scripts by other means."""
        for each in texts:
            TARGETS[self.product].execute(self.settings, each)


def _apply(resources: Sequence[Any]) -> Callable[[Place], None]:
    return lambda place: _patiently(lambda: place.client.apply(*resources, lock_timeout_seconds=20))


def _asked(function: str, **request: Any) -> Callable[[Place], tuple[str, Mapping[str, Any]]]:
    return lambda _: (function, request)


def _config(place: Place, table: str) -> dict[str, Any]:
    found = place.client.done("DiscoverResources", {"resource_type": "table", "filters": {"name": table}})
    return {key: each for key, each in found["resources"][0]["config"].items() if key != "statement"}


def _without(config: Mapping[str, Any], column: str) -> dict[str, Any]:
    return {**config, "columns": [each for each in config["columns"] if each["name"] != column]}


def _loses(place: Place) -> list[Any]:
    """Return the deletion of a table and of two columns, one of a table without a key."""
    found = [wanted("table", "shelf", {}, "delete"), wanted("view", "titles", {}, "delete")]
    for table, column in (("book", "price"), ("visit", "points")):
        config = _config(place, table)
        if any(each["name"] == column for each in config["columns"]):
            found.append(wanted("table", table, _without(config, column), "update"))
    return found


def _bring_back(place: Place) -> None:
    def work() -> None:
        ids = [each["id"] for each in place.client.done("ListQuarantine")["entries"]]
        if ids:
            place.client.done("RestoreQuarantine", {"ids": ids})

    _patiently(work)
    assert place.client.done("ListQuarantine")["entries"] == []


def _set_aside(place: Place) -> None:
    _patiently(lambda: place.client.done("Apply", {"resources": _loses(place)}))


def _all_ids(place: Place) -> tuple[str, Mapping[str, Any]]:
    entries = place.client.done("ListQuarantine")["entries"]
    return "RestoreQuarantine", {"ids": [each["id"] for each in entries]}


def _migrated(place: Place) -> dict[str, Any]:
    config = _config(place, "book")
    return {**migration("m", config, _without(config, "price"), **LOSING), "resource_name": "book"}


def _patiently(work: Callable[[], Any]) -> None:
    """Do it; the server needs a moment to notice that a client is gone, and lets go of its locks then."""
    for attempt in range(40):
        try:
            work()
        except KolumnError as error:
            if attempt == 39 or "lock" not in error.code:
                raise
            time.sleep(0.25)
        else:
            return


def _roll_back(place: Place) -> None:
    known = [each["migration_id"] for each in place.client.done("ListMigrations")["migrations"]
             if each["status"] != "rolled_back"]  # fmt: skip
    for each in known:
        _patiently(
            lambda each=each: place.client.done(
                "RollbackMigration", {**migration(each, {}, {}), "resource_name": "book"}
            )
        )  # type: ignore[misc]


_kept: dict[str, Any] = {}


def _apply_migration(place: Place) -> tuple[str, Mapping[str, Any]]:
    _kept["m"] = _migrated(place)
    return "ApplyMigration", _kept["m"]


CASES: Mapping[str, Case] = {
    "apply": Case(
        begin=_apply(_BEFORE),
        request=_asked("Apply", resources=_AFTER, options={"lock_timeout_seconds": 20}),
        finish=_apply(_AFTER),
        reset=_apply([*_BEFORE, wanted("table", "another", {}, "delete"),
                      wanted("user", "kolumn_test_ann@%", {}, "delete")]),
        careful=False,
    ),
    "quarantine": Case(
        begin=lambda place: place.script(_ROWS, *_TRIGGERS),
        request=lambda place: ("Apply", {"resources": _loses(place)}),
        finish=lambda _: None,
        reset=_bring_back,
    ),
    "restore": Case(
        begin=lambda place: (place.script(_ROWS, *_TRIGGERS), _set_aside(place))[0],
        request=_all_ids,
        finish=_bring_back,
        reset=_set_aside,
    ),
    "migration": Case(
        begin=lambda place: place.script(_ROWS),
        request=_apply_migration,
        finish=lambda place: _patiently(lambda: place.client.done("ApplyMigration", _kept["m"])),
        reset=_roll_back,
    ),
}  # fmt: skip


@pytest.fixture
def place(product: str, settings: Settings, tmp_path: Path, name: str) -> Iterator[Place]:
    between = Interception(settings["url"])
    careful = {**settings, "safe_destroy": CASES[name].careful, "backup_dir": str(tmp_path / "vault")}
    client = Client(MySQLProvider()).configure(careful)
    yield Place(product, careful, {**careful, "url": between.url(settings["url"])}, client, between)
    client.provider.close()
    between.close()


def _numbers(count: int, answered: bool) -> list[int]:
    every = list(range(1, count + 1))
    if SOAK or count <= SAMPLE:
        return every
    return [every[int((at + (0.25 if answered else 0.75)) * count / SAMPLE)] for at in range(SAMPLE)]


def _count(place: Place, case: Case) -> tuple[int, list[str]]:
    """Make the call undisturbed; return how many statements it has that change something, and what is there then."""
    function, request = case.request(place)
    place.between.moment = Moment()
    with Client(MySQLProvider()).configure(place.tapped) as client:
        answer = client.call(function, request)
    assert answer["success"] is True, answer
    count = len(place.between.moment.seen)
    assert count > 5
    return count, place.look()


@pytest.mark.parametrize("answered", [False, True], ids=["unheard", "done"])
@pytest.mark.parametrize("name", CASES)
def test_a_lost_connection_at_any_statement(place: Place, name: str, answered: bool) -> None:
    case = CASES[name]
    case.begin(place)
    before = place.look()
    count, after = _count(place, case)
    case.reset(place)
    assert place.look() == before
    for number in _numbers(count, answered):
        function, request = case.request(place)
        place.between.moment = moment = Moment(number, answered)
        with Client(MySQLProvider()).configure(place.tapped) as client:
            try:
                answer = client.call(function, request)
            except KolumnError as error:
                answer = {"success": False, "error": error.message}
        where = f"{number} of {count}: {moment.seen[number - 1] if len(moment.seen) >= number else '?'}"
        assert moment.cut or answer["success"], where
        if answer["success"]:
            assert place.look() == after, where
        else:
            assert "Whether the statement under way took effect is not known" in answer["error"], (
                where,
                answer,
            )
        _is_sound(place, case, before, after, where)


@pytest.mark.parametrize("answered", [False, True], ids=["unheard", "done"])
@pytest.mark.parametrize("name", CASES)
def test_a_kill_at_any_statement(place: Place, name: str, answered: bool) -> None:
    case = CASES[name]
    case.begin(place)
    before = place.look()
    count, after = _count(place, case)
    case.reset(place)
    for number in _numbers(count, answered):
        function, request = case.request(place)
        place.between.moment = moment = Moment()
        victim = calls.start("mysql", place.tapped, function, request)
        moment.act, moment.answered, moment.number = victim.kill, answered, number
        out, err = victim.communicate()
        where = f"{number} of {count}: {moment.seen[number - 1] if len(moment.seen) >= number else '?'}"
        assert victim.returncode == (-9 if moment.cut else 0), (where, out, err)
        _is_sound(place, case, before, after, where)


def _is_sound(place: Place, case: Case, before: list[str], after: list[str], where: str) -> None:
    """Check that nothing is lost, and that what was begun can be finished and taken back."""
    verified = place.client.done("VerifyAuditLog")
    assert verified["intact"], (where, verified)
    try:
        case.finish(place)
        if case is not CASES["quarantine"]:
            assert place.look() == after, where
        case.reset(place)
        assert place.look() == before, where
    except (KolumnError, AssertionError) as error:
        raise AssertionError(f"{where}\n{error}") from error
    if case is not CASES["restore"]:
        assert place.leftovers() == [], where
    assert place.client.done("VerifyAuditLog")["intact"], where
    assert json.dumps(place.client.plan()["execution_order"]) == "[]"
