"""Putting back what a backup holds, once all of it was read and found whole."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from kolumn.contract.context import Context
from kolumn.contract.errors import StateError
from kolumn.engine.backup.manifest import Manifest, Part
from kolumn.engine.backup.vault import Vault
from kolumn.engine.handler import Registry
from kolumn.engine.resource import Ref
from kolumn.engine.rows import RowSet
from kolumn.engine.session import Session


class Restored(NamedTuple):
    """What became of one part."""

    part: Part
    rows: int
    """How many rows are there again, or have their values back."""


def rows_of(part: Part, registry: Registry) -> RowSet:
    """Return what a part holds."""
    handler = registry.get(part.resource_type)
    ref = Ref(*part.ref)
    return RowSet(
        ref=ref,
        model=handler.parse(part.config, ref.name),
        schema=part.schema,
        name=part.name,
        lost=part.lost,
        key=part.key,
    )


def restore(
    context: Context,
    session: Session,
    registry: Registry,
    vault: Vault,
    found: Manifest,
    path: Path,
    parts: Sequence[Part] | None = None,
) -> list[Restored]:
    """Put rows back, the last that went first, within a transaction that is open.

    Raises StateError `wrong_database` for rows in another database's form, and what `Session.run` raises.
    """
    store = session.rows
    done = []
    for part in reversed(found.parts if parts is None else parts):
        if store is None or part.format != store.format:
            raise StateError(
                f"backup {found.name} holds {part.format}, which this database cannot take in.",
                code="wrong_database",
            )
        rows = store.copy_in(
            context, rows_of(part, registry), part.columns, vault.lines(found, path, part), part.counters
        )
        done.append(Restored(part, rows))
    return done
