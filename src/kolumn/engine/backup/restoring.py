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


class Held(NamedTuple):
    """Parts of a backup that was read and found whole."""

    manifest: Manifest
    path: Path
    parts: Sequence[Part]


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
    context: Context, session: Session, registry: Registry, vault: Vault, kept: Sequence[Held]
) -> list[Restored]:
    """Put rows back, within a transaction that is open.

    Raises StateError `wrong_database` for rows in another database's form, and what `Session.run` raises.
    """
    store = session.rows
    wanted = [(held, part, rows_of(part, registry)) for held in kept for part in held.parts]
    for held, part, _ in wanted:
        if store is None or part.format != store.format:
            raise StateError(
                f"backup {held.manifest.name} holds {part.format}, which this database cannot take in.",
                code="wrong_database",
            )
    if store is None:
        return []
    done = []
    with store.loading(context, [rows for _, _, rows in wanted]):
        for held, part, rows in wanted:
            lines = vault.lines(held.manifest, held.path, part)
            done.append(Restored(part, store.copy_in(context, rows, part.columns, lines, part.counters)))
    return done
