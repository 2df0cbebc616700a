"""The schema that is measured: n ordinary tables, with what ordinary tables have.

`python schemas.py DATABASE SCRIPT TABLES` writes it as a database and as a script. A process of
its own, because Linux counts the memory of a parent towards the peak of the process it starts.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

INDEXES_PER_TABLE = 2
TABLES_PER_VIEW = 10

_TABLE = """\
CREATE TABLE {name} (
  id INTEGER PRIMARY KEY,
  name VARCHAR(80) NOT NULL,
  email TEXT,
  amount NUMERIC(10, 2) NOT NULL DEFAULT 0,
  quantity INTEGER NOT NULL DEFAULT 1,
  active BOOLEAN NOT NULL DEFAULT 1,
  created_at TEXT DEFAULT CURRENT_TIMESTAMP,
  note TEXT,
  score REAL CHECK (score >= 0),
  parent_id INTEGER REFERENCES {parent} (id) ON DELETE CASCADE
);
CREATE INDEX {name}_parent ON {name} (parent_id);
CREATE UNIQUE INDEX {name}_email ON {name} (email, created_at DESC) WHERE email IS NOT NULL;
"""
_VIEW = """\
CREATE VIEW {name}_open AS
SELECT child.id, child.name, parent.name AS parent
FROM {name} AS child JOIN {parent} AS parent ON parent.id = child.parent_id
WHERE child.active;
"""


def name(number: int) -> str:
    """Return the name of the table at `number`, counted from 0."""
    return f"account_{number:05d}"


def statements(tables: int) -> Iterator[str]:
    """Yield the script, table by table: 10 columns, 2 indexes, 1 foreign key; a view for every ten tables."""
    for number in range(tables):
        names = {"name": name(number), "parent": name(max(0, number - 1))}
        yield _TABLE.format(**names)
        if number % TABLES_PER_VIEW == TABLES_PER_VIEW - 1:
            yield _VIEW.format(**names)


def objects(tables: int) -> int:
    """Return how many resources the schema of `tables` tables has."""
    return tables * (1 + INDEXES_PER_TABLE) + tables // TABLES_PER_VIEW


def write(database: Path, script: Path, tables: int) -> None:
    """Create both files."""
    with script.open("w", encoding="utf-8") as file:
        file.write("BEGIN;\n")
        file.writelines(statements(tables))
        file.write("COMMIT;\n")
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(script.read_text(encoding="utf-8"))


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
