"""The peer: SQLAlchemy reflects a database, and Alembic's autogenerate compares it with the reflected models.

`python peer_alembic.py DATABASE` prints the seconds of each part as JSON. Alembic users keep their
models as Python code, so the comparison alone is reported as well: it is the part they wait for.
"""

from __future__ import annotations

import json
import sys
import time

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, create_engine


def main(database: str) -> None:
    """Reflect, compare, and say how long each took."""
    engine = create_engine(f"sqlite:///{database}")
    started = time.perf_counter()
    models = MetaData()
    models.reflect(engine)
    reflected = time.perf_counter()
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, models)
    compared = time.perf_counter()
    json.dump(
        {
            "tables": len(models.tables),
            "differences": len(differences),
            "reflect": reflected - started,
            "compare": compared - reflected,
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main(sys.argv[1])
