"""A peer: SQLAlchemy reflects a database, and Alembic's autogenerate compares it with models.

    python alembic_autogenerate.py plan URL            reflect, and compare with what was reflected
    python alembic_autogenerate.py models URL FILE     reflect, and keep the models in a file
    python alembic_autogenerate.py create URL FILE     compare the models with an empty database, make them

Prints the seconds of each part as JSON. Alembic's users keep their models as Python code, so the comparison
alone is reported as well: it is the part they wait for. It knows no views.
"""

from __future__ import annotations

import json
import pickle
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from alembic.autogenerate import compare_metadata, produce_migrations
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.operations.ops import MigrateOperation
from sqlalchemy import Engine, MetaData, create_engine

_OPTIONS = {"compare_type": True}


def plan(url: str) -> dict[str, float]:
    """Reflect, compare, and return how long each took."""
    engine = create_engine(url)
    started = time.perf_counter()
    models = _reflected(engine)
    reflected = time.perf_counter()
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=_OPTIONS)
        differences = compare_metadata(context, models)
    if differences:
        raise RuntimeError(f"{len(differences)} differences")
    return {"reflect": reflected - started, "compare": time.perf_counter() - reflected}


def keep(url: str, file: Path) -> None:
    """Write the models of a database to a file."""
    file.write_bytes(pickle.dumps(_reflected(create_engine(url))))


def create(url: str, file: Path) -> dict[str, float]:
    """Compare the models with the database, run what that finds in one transaction."""
    models: MetaData = pickle.loads(file.read_bytes())
    engine = create_engine(url)
    started = time.perf_counter()
    with engine.begin() as connection:
        context = MigrationContext.configure(connection, opts=_OPTIONS)
        upgrade = produce_migrations(context, models).upgrade_ops
        assert upgrade is not None
        compared = time.perf_counter()
        _perform(Operations(context), upgrade)
    return {"compare": compared - started, "create": time.perf_counter() - compared}


def _perform(operations: Operations, operation: MigrateOperation) -> None:
    parts = getattr(operation, "ops", None)
    if parts is None:
        operations.invoke(operation)
    else:
        for part in parts:
            _perform(operations, part)


def _reflected(engine: Engine) -> MetaData:
    models = MetaData()
    models.reflect(engine)
    return models


def main(arguments: list[str]) -> None:
    """Do what the command line says."""
    match arguments:
        case ["plan", url]:
            json.dump(plan(url), sys.stdout)
        case ["models", url, file]:
            keep(url, Path(file))
        case ["create", url, file]:
            json.dump(create(url, Path(file)), sys.stdout)
        case _:
            print(__doc__)


if __name__ == "__main__":
    # A table is reflected, and pickled, within one that refers to it, thousands deep here.
    sys.setrecursionlimit(1_000_000)
    threading.stack_size(1 << 30)
    with ThreadPoolExecutor(1) as runner:
        runner.submit(main, sys.argv[1:]).result()
