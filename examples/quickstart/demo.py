"""A real SQLite database, made by someone else, taken into configuration, changed and applied.

Run by `make demo`. Prints each command before it runs it; everything stays in `demo/` for you to go on with.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

FOLDER = Path("demo")
DATABASE = FOLDER / "bookshop.db"

BOOKSHOP = """
CREATE TABLE author (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE book (
  id INTEGER PRIMARY KEY,
  author_id INTEGER NOT NULL REFERENCES author(id),
  title TEXT NOT NULL,
  price NUMERIC(6,2) DEFAULT 0
);
CREATE INDEX book_title ON book(title);
CREATE VIEW catalogue AS SELECT title, name AS author FROM book JOIN author ON author.id = book.author_id;
INSERT INTO author(name) VALUES ('Ursula K. Le Guin'), ('Italo Calvino');
INSERT INTO book(author_id, title, price) VALUES
  (1, 'The Dispossessed', 9.90), (1, 'The Left Hand of Darkness', 8.50), (2, 'Invisible Cities', 11.00);
"""


def say(text: str) -> None:
    """Print a heading."""
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}", flush=True)


def run(*words: str) -> None:
    """Print and run one `kolumn` command; stop the demonstration where it fails."""
    say("$ kolumn " + " ".join(words))
    command = [sys.executable, "-m", "kolumn.cli.main", *words]
    environment = {**os.environ, "KOLUMN_SQLITE_URL": f"sqlite:///{DATABASE.resolve()}"}
    done = subprocess.run(command, env=environment, check=False)
    if done.returncode:
        sys.exit(done.returncode)


def show(query: str) -> None:
    """Print a query and its rows."""
    print(f"  {query}")
    database = sqlite3.connect(DATABASE)
    for row in database.execute(query):
        print("    ", *row)
    database.close()


def main() -> None:
    """Import, change, plan, apply, look."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    database = sqlite3.connect(DATABASE)
    database.executescript(BOOKSHOP)
    database.close()
    say(f"A bookshop's database, as somebody else made it ({DATABASE}):")
    show("SELECT title, price FROM book ORDER BY id")

    run("import", "sqlite", "--out", str(FOLDER))
    configuration = next(path for path in sorted(FOLDER.glob("*.kl")) if '"book"' in path.read_text())
    text = configuration.read_text()
    say(f"Now edit {configuration}: prices must not be negative, and books get an ISBN.")
    added = '  column "isbn" {\n    type   = "TEXT"\n    unique = true\n  }\n\n'
    column = re.search(r'\n  column "price" \{.*?\n  \}\n', text, re.DOTALL)
    if column is None:
        sys.exit(f"no column price in {configuration}")
    checked = column[0].rstrip().removesuffix("}") + '  check = "price >= 0"\n  }\n\n' + added.rstrip() + "\n"
    configuration.write_text(text.replace(column[0], checked))
    run("fmt", str(FOLDER))
    run("plan", "-C", str(FOLDER), "--sql")
    run("apply", "-C", str(FOLDER), "--auto-approve")
    run("plan", "-C", str(FOLDER))
    say("The rows are still there, under the new definition:")
    show("SELECT title, price, isbn FROM book ORDER BY id")
    show("SELECT sql FROM sqlite_schema WHERE name = 'book'")
    say(f"Yours to go on with: edit {configuration}, then")
    print(f"  export KOLUMN_SQLITE_URL=sqlite:///{DATABASE.resolve()}")
    print(f"  .venv/bin/kolumn plan -C {FOLDER}")


if __name__ == "__main__":
    main()
