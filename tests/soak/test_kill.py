"""An apply is killed at any moment: the next one finishes the job, no row is lost, the state is true.

The `kolumn` command runs in a process of its own and gets SIGKILL, at times spread over its whole duration
and aimed at the moments that matter: while the transaction is open, around its commit, while state is
written.
"""

from __future__ import annotations

import random
import shutil
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import command, dumps

KILLS = 200 if command.SOAK else 8
"""How often an apply is killed while it runs, in each of the modes."""
BATCHES = 4
ROWS = 4000
MOMENTS = ("any", "open", "commit", "state")

BEFORE = f"""
CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT, city TEXT, note TEXT);
CREATE TABLE orders (
  id INTEGER PRIMARY KEY,
  customer_id INTEGER REFERENCES customer(id),
  total NUMERIC,
  placed TEXT
);
CREATE TABLE item (
  order_id INTEGER REFERENCES orders(id), line INTEGER, what TEXT, PRIMARY KEY (order_id, line)
);
CREATE TABLE legacy (id INTEGER PRIMARY KEY, junk BLOB);
CREATE INDEX orders_placed ON orders(placed);
CREATE INDEX legacy_junk ON legacy(junk);
CREATE VIEW sales AS SELECT name, total FROM orders JOIN customer ON customer.id = customer_id;
CREATE VIEW old_view AS SELECT junk FROM legacy;
CREATE TRIGGER orders_note AFTER INSERT ON orders BEGIN
  UPDATE customer SET note = 'ordered' WHERE id = new.customer_id;
END;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})
INSERT INTO customer SELECT i, 'name ' || i, 'city ' || (i % 97), hex(i * 7919) FROM n;
INSERT INTO orders SELECT id, 1 + (id * 31) % {ROWS}, id * 1.25, '2024-01-' || (1 + id % 28) FROM customer;
INSERT INTO item SELECT id, id % 3, 'thing ' || id FROM orders;
INSERT INTO legacy SELECT id, zeroblob(40) FROM customer WHERE id <= 500;
"""
AFTER = """
CREATE TABLE customer (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, city TEXT DEFAULT '?' CHECK (city <> ''), note TEXT, since TEXT
);
CREATE TABLE orders (
  id INTEGER PRIMARY KEY,
  customer_id INTEGER NOT NULL REFERENCES customer(id) ON DELETE CASCADE,
  amount NUMERIC CHECK (amount >= 0),
  placed TEXT,
  doubled NUMERIC AS (amount * 2)
);
CREATE TABLE item (
  order_id INTEGER REFERENCES orders(id), line INTEGER, what TEXT NOT NULL, PRIMARY KEY (order_id, line)
) WITHOUT ROWID;
CREATE TABLE shelf (id INTEGER PRIMARY KEY, place TEXT UNIQUE);
CREATE TABLE stock (shelf_id INTEGER REFERENCES shelf(id), item TEXT, count INTEGER DEFAULT 0);
CREATE INDEX orders_placed ON orders(placed DESC, amount);
CREATE INDEX customer_city ON customer(city) WHERE city IS NOT NULL;
CREATE INDEX stock_item ON stock(item);
CREATE VIEW sales AS SELECT name, amount, doubled FROM orders JOIN customer ON customer.id = customer_id;
CREATE VIEW shelves AS SELECT place, count FROM shelf JOIN stock ON shelf_id = id;
CREATE TRIGGER orders_note AFTER INSERT ON orders BEGIN
  UPDATE customer SET note = 'ordered' WHERE id = new.customer_id;
END;
CREATE TRIGGER stock_low AFTER UPDATE OF count ON stock WHEN new.count < 0 BEGIN
  SELECT raise(abort, 'none left');
END;
"""
PROVIDER = """
provider "sqlite" {
  path         = "shop.db"
  safe_destroy = false
  apply_mode   = "%s"
%s}
"""
MODES = ("transaction", "step", "wal") if command.SOAK else ("transaction", "step")
"""One transaction per apply, one per step, one per apply with a write-ahead log."""
KEPT = {
    "customer": (["id", "name", "city", "note"], ["id", "name", "city", "note"]),
    "orders": (["id", "customer_id", "total", "placed"], ["id", "customer_id", "amount", "placed"]),
    "item": (["order_id", "line", "what"], ["order_id", "line", "what"]),
}
"""Tables that stay, with their columns before and after."""

Rows = Mapping[str, list[tuple[object, ...]]]


@dataclass(frozen=True)
class Rehearsal:
    """A project about to make a large change, and what an apply that nobody disturbs makes of it."""

    template: Path
    mode: str
    before: list[str]
    after: list[str]
    rows: Rows
    resources: list[str]
    seconds: float

    @property
    def journal(self) -> str:
        """Name of the file SQLite has beside the database while it is changed."""
        return "shop.db-wal" if self.mode == "wal" else "shop.db-journal"


def load(path: Path, sql: str) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.executescript(f"BEGIN; {sql} COMMIT;")


def kept(path: Path, *, changed: bool) -> Rows:
    return {table: dumps.rows(path, table, columns[changed]) for table, columns in KEPT.items()}


@pytest.fixture(scope="module", params=MODES)
def rehearsal(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Rehearsal:
    work = tmp_path_factory.mktemp(request.param)
    template, wanted = work / "template", work / "wanted"
    template.mkdir()
    load(template / "shop.db", BEFORE)
    load(work / "after.db", AFTER)
    command.done(
        work, "import", "sqlite", "--url", f"sqlite:///{template / 'shop.db'}", "--out", str(template)
    )
    command.done(work, "import", "sqlite", "--url", f"sqlite:///{work / 'after.db'}", "--out", str(wanted))
    wal = request.param == "wal"
    provider = PROVIDER % (
        "transaction" if wal else request.param,
        '  journal_mode = "wal"\n' if wal else "",
    )
    for folder in (template, wanted):
        (folder / "providers.kl").write_text(provider)
    command.done(template, "apply", "--auto-approve")
    for file in template.glob("*.kl"):
        file.unlink()
    renamed = 0
    for file in wanted.glob("*.kl"):
        text = file.read_text()
        renamed += text.count('column "amount" {')
        (template / file.name).write_text(
            text.replace('column "amount" {', 'column "amount" {\n    renamed_from = "total"')
        )
    assert renamed == 1
    before, rows = dumps.schema(template / "shop.db"), kept(template / "shop.db", changed=False)
    undisturbed = work / "undisturbed"
    shutil.copytree(template, undisturbed)
    started = time.monotonic()
    command.done(undisturbed, "apply", "--auto-approve")
    seconds = time.monotonic() - started
    assert dumps.schema(undisturbed / "shop.db") == dumps.schema(work / "after.db")
    assert kept(undisturbed / "shop.db", changed=True) == rows
    after = dumps.schema(undisturbed / "shop.db")
    resources = managed(undisturbed)
    assert len(resources) == 12
    return Rehearsal(template, request.param, before, after, rows, resources, seconds)


def managed(folder: Path) -> list[str]:
    """Return the addresses the state lists, none of which may be in between."""
    resources = command.document(folder, "state", "list")["resources"]
    assert {each["status"] for each in resources} == {"active"}
    return [each["address"] for each in resources]


def wait_for(path: Path, process: object, *, there: bool, limit: float) -> None:
    """Wait until a file is there, or gone, but not for ever."""
    end = time.monotonic() + limit
    while path.exists() is not there and time.monotonic() < end:
        time.sleep(0.0002)


def kill_at(moment: str, folder: Path, rehearsal: Rehearsal, dice: random.Random) -> bool:
    """Start an apply and kill it; return whether it was still running."""
    process = command.start(folder, "apply", "--auto-approve")
    journal = folder / rehearsal.journal
    window = rehearsal.seconds * 0.5
    if moment == "any":
        time.sleep(dice.uniform(0.02, rehearsal.seconds * 1.1))
    elif moment == "open":
        wait_for(journal, process, there=True, limit=rehearsal.seconds * 2)
        time.sleep(dice.uniform(0, window))
    elif moment == "commit":
        for _ in range(dice.choice((1, 2))):  # the audit trail's intent, or the change
            wait_for(journal, process, there=True, limit=rehearsal.seconds * 2)
            wait_for(journal, process, there=False, limit=rehearsal.seconds * 2)
        time.sleep(dice.choice((0, 0, dice.uniform(0, 0.03))))
    else:
        wait_for(folder / ".kolumn" / "state.db-journal", process, there=True, limit=rehearsal.seconds * 2)
        time.sleep(dice.choice((0, dice.uniform(0, 0.01), dice.uniform(0, window))))
    running = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return running


def is_true(folder: Path, rehearsal: Rehearsal) -> None:
    """Check everything that must hold once the next apply has ended."""
    file = folder / "shop.db"
    assert dumps.sound(file) == []
    assert dumps.schema(file) == rehearsal.after
    assert kept(file, changed=True) == rehearsal.rows
    planned = command.run(folder, "plan", "--detailed-exitcode")
    assert planned.returncode == 0, planned.stdout + planned.stderr
    assert "interrupted" not in planned.stdout + planned.stderr, "what was told once is over"
    assert managed(folder) == rehearsal.resources
    verified = command.document(folder, "audit", "verify")
    assert verified["intact"], verified


@pytest.mark.soak
@pytest.mark.parametrize("batch", range(BATCHES))
def test_killed_at_any_moment(rehearsal: Rehearsal, batch: int, tmp_path: Path) -> None:
    hit, seen = 0, Counter[str]()
    number = batch
    while hit < KILLS // BATCHES:
        number += BATCHES
        assert seen.total() < KILLS, "too few applies were still running when they were killed"
        dice = random.Random(f"{rehearsal.mode} {number}")
        moment = MOMENTS[(number + number // BATCHES) % len(MOMENTS)]
        folder = tmp_path / str(number)
        shutil.copytree(rehearsal.template, folder)
        hit += kill_at(moment, folder, rehearsal, dice)
        said = f"kill {number} ({moment}, {rehearsal.mode})"
        assert dumps.sound(folder / "shop.db") == [], said
        stands = dumps.schema(folder / "shop.db")
        seen["old" if stands == rehearsal.before else "new" if stands == rehearsal.after else "between"] += 1
        if rehearsal.mode != "step":
            assert stands in (rehearsal.before, rehearsal.after), said
        planned = command.run(folder, "plan", "--detailed-exitcode")
        assert planned.returncode in (0, 2), said + planned.stdout + planned.stderr
        assert planned.returncode == 2 or stands == rehearsal.after, said
        command.done(folder, "apply", "--auto-approve")
        is_true(folder, rehearsal)
        shutil.rmtree(folder)
    print(f"{rehearsal.mode}: {hit} of {seen.total()} applies killed while they ran; then {dict(seen)}")
    if command.SOAK:
        assert seen["old"]
        assert seen["new"]
        assert bool(seen["between"]) is (rehearsal.mode == "step")


@pytest.mark.parametrize("number", range(10 if command.SOAK else 1))
def test_killed_again_and_again(rehearsal: Rehearsal, number: int, tmp_path: Path) -> None:
    """The apply that should repair is killed as well, several times in a row."""
    folder = tmp_path / "project"
    shutil.copytree(rehearsal.template, folder)
    dice = random.Random(number)
    for moment in ("open", "state", "any", "commit", "open"):
        kill_at(moment, folder, rehearsal, dice)
        assert dumps.sound(folder / "shop.db") == []
    command.done(folder, "apply", "--auto-approve")
    is_true(folder, rehearsal)


def test_terminated_politely(rehearsal: Rehearsal, tmp_path: Path) -> None:
    """SIGTERM stops the statement that runs; the apply says so and leaves nothing half done."""
    folder = tmp_path / "project"
    shutil.copytree(rehearsal.template, folder)
    process = command.start(folder, "apply", "--auto-approve")
    wait_for(folder / rehearsal.journal, process, there=True, limit=rehearsal.seconds * 2)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=30)
    assert process.returncode in (0, 143), errors
    assert "Traceback" not in errors
    command.done(folder, "apply", "--auto-approve")
    is_true(folder, rehearsal)
