"""A peer: migra reads two databases and writes the difference as SQL.

    python migra_diff.py plan URL URL         two that are alike
    python migra_diff.py create URL URL       the first one empty: make it like the second

Used as a library with SQLAlchemy and psycopg2, which its own command uses too. Prints the seconds of each
part as JSON. What is wanted is a database for migra, so that it reads two; `read one` is half of that.
"""

from __future__ import annotations

import json
import sys
import time

import migra  # type: ignore[import-untyped]
from schemainspect import get_inspector  # type: ignore[import-untyped]
from sqlalchemy import create_engine


def main(what: str, before: str, wanted: str) -> dict[str, float]:
    """Compare, run what that finds in one transaction, and return how long each part took."""
    with create_engine(before).connect() as connection, create_engine(wanted).connect() as target:
        started = time.perf_counter()
        live = get_inspector(connection)
        read = time.perf_counter()
        model = get_inspector(target)
        read_both = time.perf_counter()
        migration = migra.Migration(live, model)
        migration.set_safety(False)
        migration.add_all_changes()
        statements = migration.sql
        compared = time.perf_counter()
        if bool(statements) != (what == "create"):
            raise SystemExit(f"{len(migration.statements)} differences")
        if statements:
            connection.exec_driver_sql(statements)
            connection.commit()
    return {
        "read one": read - started,
        "read the other": read_both - read,
        "compare": compared - read_both,
        "create": time.perf_counter() - compared,
    }


if __name__ == "__main__":
    json.dump(main(*sys.argv[1:4]), sys.stdout)
