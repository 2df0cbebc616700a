"""From catalogue rows to the entries of tables: a few passes over plain rows, nothing parsed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from operator import itemgetter

from kolumn.engine.resource import Ref
from kolumn.providers.postgres.handler import Entry
from kolumn.providers.postgres.language.tokens import qualified
from kolumn.providers.postgres.reading import Reading
from kolumn.providers.postgres.tables.rows import (
    Catalogued,
    ColumnRow,
    ConstraintRow,
    IndexRow,
    NotNullRow,
    SequenceRow,
    TableRow,
    TargetRow,
)

FOREIGN_KEYS = "foreign keys"
"""Under which the foreign keys are noted in the reading."""

_NEXTVAL = "nextval('"
_NUMBER = itemgetter(1)
"""Of the row of a column its number, of that of a constraint its oid."""
_INTEGER_LIMITS = {
    "smallint": (1, 32_767),
    "integer": (1, 2_147_483_647),
    "bigint": (1, 9_223_372_036_854_775_807),
}
"""Smallest and largest value of an ascending sequence of a type, unless it says otherwise."""


def place(schema: str) -> str:
    """Return a schema as refs and models have it: empty for public."""
    return "" if schema == "public" else schema


def own_sequences(reading: Reading) -> Mapping[int, tuple[int, int]]:
    """Return the sequences that are part of their table, by oid: the table's oid and the column's number.

    That are those of identity columns, and those of serial columns: owned by a column whose default takes
    the next value from them, and in all as `serial` would have made them but for their name.
    """
    defaults = {
        (row[0], row[1]): row
        for row in reading.rows["columns"]
        if row[5] is not None and row[5].startswith(_NEXTVAL)
    }
    spaces = {row[0]: row[1] for row in reading.rows["tables"]}
    found = {}
    for sequence in reading.rows["owned_sequences"]:
        oid, table, column, identity, schema, name, kind, start, increment, low, high, cache, cycle, other = (
            sequence
        )
        if identity:
            found[oid] = (table, column)
            continue
        held = defaults.get((table, column))
        usual = (1, 1, *_INTEGER_LIMITS.get(kind, (0, 0)), 1, False, False)
        if (
            held is not None
            and held[4]
            and held[3] == kind
            and spaces.get(table) == schema
            and usual == (start, increment, low, high, cache, cycle, other)
            and held[5] == f"nextval({_constant(qualified(schema, name))}::regclass)"
            and not reading.comment("pg_class", oid)
        ):
            found[oid] = (table, column)
    return found


def _constant(text: str) -> str:
    """Return a text as the server spells constants, with standard_conforming_strings on."""
    return "'" + text.replace("'", "''") + "'"


def table_entries(reading: Reading) -> Iterator[Entry]:
    """Yield an entry for every table; the refs of constraints, and the foreign keys, are noted in the reading."""
    gathered = _Gathered(reading)
    reading.notes[FOREIGN_KEYS] = gathered.foreign_keys
    for row in reading.rows["tables"]:
        yield gathered.entry(row)


class _Gathered:
    """Rows of all queries by the table they are about."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self.foreign_keys: list[tuple[Ref, int, ConstraintRow]] = []
        """Table, oid and what there is to know of each."""
        self._columns: dict[int, list[Catalogued]] = defaultdict(list)
        for row in reading.rows["columns"]:
            self._columns[row[0]].append(row)
        for columns in self._columns.values():
            columns.sort(key=_NUMBER)
        self._names = {oid: {row[1]: row[2] for row in rows} for oid, rows in self._columns.items()}
        self._constraints: dict[int, list[Catalogued]] = defaultdict(list)
        for row in reading.rows["constraints"]:
            self._constraints[row[0]].append(row)
        for constraints in self._constraints.values():
            constraints.sort(key=_NUMBER)
        self._tables = {row[0]: row for row in reading.rows["tables"]}
        self._indexes = {row[0]: row for row in reading.rows["indexes"] if row[8] is not None}
        self._parents: dict[int, list[int]] = defaultdict(list)
        for child, parent in reading.rows["inheritance"]:
            if child in self._columns or child in self._tables:
                self._parents[child].append(parent)
        own = {place: oid for oid, place in own_sequences(reading).items()}
        rows = {row[0]: row for row in reading.rows["owned_sequences"]}
        self._sequences = {place: SequenceRow(*rows[oid][4:13]) for place, oid in own.items()}
        self._commented = {oid for catalogue, oid, _ in reading.comments if catalogue == "pg_class"}

    def entry(self, row: Catalogued) -> Entry:
        oid, schema, name = row[0], place(row[1]), row[2]
        ref = Ref("table", name, schema)
        parents = [each for each in self._parents.get(oid, ()) if each in self._tables]
        own, handed_down = self._constraint_rows(oid, ref)
        found = TableRow._make(
            (
                name,
                schema,
                row[3],
                self._reading.comment("pg_class", oid),
                *row[5:16],
                tuple([(place(self._tables[each][1]), self._tables[each][2]) for each in parents]),
                tuple(
                    self._column_rows(oid, parents, typed=row[13] is not None, partition=row[15] is not None)
                ),
                own,
                handed_down,
                not parents or self._in_order(oid, parents[0]),
                self._reading.server.version // 10_000,
            )
        )
        owner = None
        if row[15] is not None and parents:
            parent = self._tables[parents[0]]
            owner = Ref("table", parent[2], place(parent[1]))
        return Entry(ref, ("pg_class", oid), found, owner=owner)

    def _in_order(self, oid: int, parent: int) -> bool:
        mine, theirs = self._columns.get(oid, ()), self._columns.get(parent, ())
        return [row[2] for row in mine[: len(theirs)]] == [row[2] for row in theirs]

    def _column_rows(
        self, oid: int, parents: list[int], *, typed: bool, partition: bool
    ) -> Iterator[ColumnRow]:
        comments = self._reading.comments if oid in self._commented else {}
        not_null = self._not_null(oid)
        handed_down = self._not_null_names(parents[0]) if partition and parents and not_null else {}
        new, kind = tuple.__new__, ColumnRow
        for row in self._columns.get(oid, ()):
            number = row[1]
            comment = comments.get(("pg_class", oid, number), "") if comments else ""
            origin = self._origin(row, parents) if parents else None
            follows = False
            named = not_null.get(number)
            if named is not None and handed_down.get(row[2]) == named.name:
                named = None
            if origin is not None:
                follows = not comment and _is_alike(row, origin) and not (partition and named is not None)
            elif typed:
                row = (*row[:7], False, True, *row[9:])
                follows = not comment and not row[4] and row[5] is None and not any(row[11:])
            yield new(
                kind,
                (
                    *row[2:],
                    comment,
                    self._sequences.get((oid, number)),
                    named,
                    follows,
                    None if follows or origin is None else (origin[4], origin[5], origin[11], origin[12]),
                ),
            )

    def _origin(self, row: Catalogued, parents: list[int]) -> Catalogued | None:
        """Return the column of a parent that a column comes from."""
        name = row[2]
        return next((each for oid in parents for each in self._columns.get(oid, ()) if each[2] == name), None)

    def _not_null_names(self, oid: int) -> dict[str, str]:
        """Return the names of a table's not-null constraints by column, as its partitions get them."""
        names = {row[1]: row[2] for row in self._columns.get(oid, ())}
        return {names[number]: each.name for number, each in self._not_null(oid).items()}

    def _not_null(self, oid: int) -> dict[int, NotNullRow]:
        return {
            row[4][0]: NotNullRow(row[2], row[9], row[7], self._reading.comment("pg_constraint", row[1]))
            for row in self._constraints.get(oid, ())
            if row[3] == "n"
        }

    def _constraint_rows(
        self, oid: int, table: Ref
    ) -> tuple[tuple[ConstraintRow, ...], tuple[ConstraintRow, ...]]:
        """Return the constraints of the table's own, and those it has from its parents."""
        names = self._names.get(oid, {})
        refs = self._reading.refs
        own: list[ConstraintRow] = []
        handed_down: list[ConstraintRow] = []
        for row in self._constraints.get(oid, ()):
            kind = row[3]
            ref = Ref("constraint", row[2], table.schema, table.name)
            refs["pg_constraint", row[1]] = ref
            if kind in ("p", "u", "x"):
                refs["pg_class", row[14]] = ref
            if kind == "n":
                continue
            found = ConstraintRow._make(
                (
                    row[2],
                    kind,
                    tuple([names.get(number, "") for number in row[4] or ()]),
                    *row[5:10],
                    row[12],
                    row[13],
                    self._index_row(row[14], names) if kind in ("p", "u", "x") else None,
                    self._target_row(row, names) if kind == "f" else None,
                    self._reading.comment("pg_constraint", row[1]),
                )
            )
            if row[11] or not row[10]:
                handed_down.append(found)
                continue
            own.append(found)
            if kind == "f":
                self.foreign_keys.append((table, row[1], found))
        return tuple(own), tuple(handed_down)

    def _index_row(self, oid: int, names: Mapping[int, str]) -> IndexRow:
        row = self._indexes[oid]
        include = tuple([names.get(number, "") for number in row[14][row[11] :]])
        return IndexRow(row[4], row[5], row[9], row[10], row[12], include)

    def _target_row(self, row: Catalogued, names: Mapping[int, str]) -> TargetRow:
        theirs = self._names.get(row[15], {})
        return TargetRow(
            place(row[21]),
            row[22],
            tuple([theirs.get(number, "") for number in row[16]]),
            row[17],
            row[18],
            row[19],
            tuple([names.get(number, "") for number in row[20] or ()]),
        )


def _is_alike(row: Catalogued, origin: Catalogued) -> bool:
    """Whether a column is as the parent's column, but for an identity, which stays there."""
    if row[13] is not None or row[14] is not None:
        return False
    identity = row[6] is None and origin[6] in ("a", "d")
    same = (*row[3:6], *row[11:13]) == (*origin[3:6], *origin[11:13])
    return same and (row[6] == origin[6] or identity)
