"""Changes that DuckDB's ALTER TABLE cannot make, or not while something depends on the table.

An index on a table, and a foreign key of another one to it, keep DuckDB from nearly every ALTER TABLE
(https://duckdb.org/docs/current/sql/statements/alter_table#limitations). So indexes are dropped before and made
again after. Tables that refer to it, which could lose their foreign keys in no other way, are set aside in
temporary tables, dropped, and made again from these. Where no ALTER TABLE makes the change the table itself is
made anew in the same way. All of it is part of the transaction of the step.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from kolumn.engine.resource import Ref, Snapshot
from kolumn.providers.duckdb import render
from kolumn.providers.duckdb.connection.work import LEVELS
from kolumn.providers.duckdb.language.dialect import key_columns
from kolumn.providers.duckdb.language.tokens import fold, literal, quote
from kolumn.providers.duckdb.model import DuckDBIndex, DuckDBTable
from kolumn.providers.duckdb.triggers import again
from kolumn.sql.model import ForeignKey
from kolumn.sql.normal import Normalizer

STASH = "kolumn_stash_"
"""How the name of a temporary table begins that holds rows meanwhile."""
_LEVEL = "kolumn_level"


class Around:
    """What has to be away while one table changes, as the database is just before."""

    def __init__(self, table: Ref, live: Snapshot, normalizer: Normalizer) -> None:
        self._live = live
        self._normalizer = normalizer
        self.indexes = tuple(_indexes(table, live))
        self.referring = tuple(self._referring(table))

    def _referring(self, table: Ref) -> list[DuckDBTable]:
        """Return the tables that refer to it, and those that refer to them; each before what it refers to."""
        users: dict[Ref, list[Ref]] = {}
        for ref in self._live.refs("table"):
            model = self._live.get(ref)
            for target in {self._target(model, key) for key in _foreign_keys(model)}:
                users.setdefault(target, []).append(ref)
        order: list[Ref] = []

        def visit(ref: Ref) -> None:
            for user in users.get(ref, ()):
                if user != ref and user not in order and user != table:
                    visit(user)
            if ref != table:
                order.append(ref)

        visit(table)
        return [self._live.get(ref) for ref in order]

    def _target(self, table: DuckDBTable, key: ForeignKey) -> Ref:
        found = self._normalizer.target(table, key)
        return Ref("table", found.table, found.schema)

    @property
    def is_needed(self) -> bool:
        """Whether anything is in the way."""
        return bool(self.indexes or self.referring)

    def away(self) -> Iterator[str]:
        """Yield what takes it away."""
        for at, each in enumerate(self.referring, 1):
            yield from stash(each, f"{STASH}{at}", own_keys(each, self._normalizer))
        for index in self.indexes:
            yield f"DROP INDEX {render.address(index)}"

    def back(
        self, referring: Sequence[DuckDBTable], indexes: Iterable[DuckDBIndex], triggers: Iterable[str] = ()
    ) -> Iterator[str]:
        """Yield what brings it back as it should be then."""
        for index in indexes:
            yield from render.create_index(index)
        yield from triggers
        for at, each in reversed(list(enumerate(referring, 1))):
            yield from _again(each, f"{STASH}{at}", self._normalizer, self._live)


def _indexes(table: Ref, live: Snapshot) -> Iterator[DuckDBIndex]:
    for ref in live.attached(table):
        yield live.get(ref)


def _foreign_keys(table: DuckDBTable) -> Iterator[ForeignKey]:
    for each in table.constraints():
        if isinstance(each, ForeignKey):
            yield each


def stored(table: DuckDBTable) -> list[str]:
    """Return the names of the columns that have values of their own."""
    return [each.name for each in table.columns if not each.generated]


Keys = Sequence[tuple[Sequence[str], Sequence[str]]]
"""Foreign keys of a table to itself: columns, and those they refer to."""


def own_keys(table: DuckDBTable, normalizer: Normalizer) -> Keys:
    """Return the foreign keys of a table to itself."""
    me = normalizer.table_ref(table.name, table.schema)
    found = []
    for key in _foreign_keys(table):
        target = normalizer.target(table, key)
        if Ref("table", target.table, target.schema) == me:
            found.append((key.columns, target.columns or key_columns(table)))
    return found


def stash(
    table: DuckDBTable,
    name: str,
    keys: Keys,
    values: Mapping[str, str] | None = None,
    source: str = "",
) -> Iterator[str]:
    """Yield what copies the rows of a table to a temporary one and drops it.

    `values` are expressions in place of columns, over `source`, which is the table itself unless given. With
    `keys` each row gets the level at which it can come back: after every row that it refers to.
    """
    place = render.address(table)
    listed = [
        f"{(values or {})[each]} AS {quote(each)}" if each in (values or {}) else f"t.{quote(each)}"
        for each in stored(table)
    ]
    if keys:
        listed.append(f"CAST(NULL AS BIGINT) AS {_LEVEL}")
    yield f"CREATE TEMP TABLE {name} AS SELECT {', '.join(listed)} FROM {source or f'{place} AS t'}"
    if keys:
        ready = " AND ".join(f"({_is_ready(name, *each)})" for each in keys)
        yield f"{LEVELS}UPDATE {name} AS s SET {_LEVEL} = $1 WHERE s.{_LEVEL} IS NULL AND {ready}"
    yield f"DROP TABLE {place}"


def _is_ready(name: str, mine: Sequence[str], theirs: Sequence[str]) -> str:
    """Return the condition that a row of a stash refers to none, or to one of a lower level."""
    pairs = zip(mine, theirs, strict=True)
    same = " AND ".join(f"p.{quote(there)} = s.{quote(here)}" for here, there in pairs)
    empty = " OR ".join(f"s.{quote(each)} IS NULL" for each in mine)
    return f"{empty} OR EXISTS (SELECT 1 FROM {name} AS p WHERE p.{_LEVEL} < $1 AND {same})"


def refill(table: DuckDBTable, name: str, columns: Mapping[str, str], keys: Keys) -> Iterator[str]:
    """Yield what fills a table from a stash, made with `keys`, and drops that; `columns`: by column, its value."""
    targets = ", ".join(map(quote, columns))
    text = f"INSERT INTO {render.address(table)} ({targets}) SELECT {', '.join(columns.values())} FROM {name}"
    if keys:
        yield f"{LEVELS}{text} WHERE {_LEVEL} = $1"
        words = f"rows of table {table.name} refer to themselves, in a circle, or to none that is there"
        yield (
            f"SELECT error({literal(words)}) "
            f"WHERE (SELECT count(*) FROM {name}) <> (SELECT count(*) FROM {render.address(table)})"
        )
    else:
        yield text
    yield f"DROP TABLE {name}"


def _again(table: DuckDBTable, name: str, normalizer: Normalizer, live: Snapshot) -> Iterator[str]:
    """Yield what makes a stashed table again, with its rows, indexes and triggers."""
    yield from render.create_table(table)
    columns = {each: quote(each) for each in stored(table)}
    yield from refill(table, name, columns, own_keys(table, normalizer))
    for index in _indexes(normalizer.table_ref(table.name, table.schema), live):
        yield from render.create_index(index)
    yield from again(render.address(table), table.triggers)


def rebuild(
    before: DuckDBTable,
    after: DuckDBTable,
    renamed: Mapping[str, str],
    normalizer: Normalizer,
) -> Iterator[str]:
    """Yield what makes `after` of `before`, rows kept; `renamed` maps folded new column names to old ones.

    Indexes, and tables that refer to it, must be away.
    """
    keys = list(_former(own_keys(after, normalizer), before, renamed))
    yield from stash(before, f"{STASH}0", keys)
    yield from render.create_table(after)
    yield from refill(after, f"{STASH}0", _sources(before, after, renamed), keys)


def _former(
    keys: Keys, before: DuckDBTable, renamed: Mapping[str, str]
) -> Iterator[tuple[Sequence[str], Sequence[str]]]:
    """Yield keys over the columns that their rows are in before; not those over a column that is new."""
    old = {fold(each): each for each in stored(before)}
    for key in keys:
        mine, theirs = (
            [old.get(fold(renamed.get(fold(each), each)), "") for each in columns] for columns in key
        )
        if all(mine) and all(theirs):
            yield mine, theirs


def _sources(before: DuckDBTable, after: DuckDBTable, renamed: Mapping[str, str]) -> dict[str, str]:
    """Return what columns are filled with; those left out get their defaults."""
    old = {fold(each.name): each for each in before.columns if not each.generated}
    found = {}
    for column in after.columns:
        source = old.get(fold(renamed.get(fold(column.name), column.name)))
        if column.generated or source is None:
            continue
        name = quote(source.name)
        found[column.name] = name if source.type == column.type else f"CAST({name} AS {column.type})"
    if not found:
        column = next(each for each in after.columns if not each.generated)
        found[column.name] = f"({column.default})" if column.default is not None else "NULL"
    return found
