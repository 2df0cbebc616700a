"""The difference between two tables, as operations that lead from one to the other.

Tables are compared in normal form (see `sql.normal`), so it does not matter where a constraint is
written, in which case a name is, or how a type or an expression is spelled. Decisions:

* **Order of columns.** Where two tables differ in nothing but the order of their columns, nothing
  changes: order alone is not worth a copy of every row. An added column goes where the
  configuration has it if the database can put it there in place (`Dialect.places_columns`), else to
  the end. Whenever a table is rebuilt for another reason, its columns come in the order wanted.
* **Constraints** are a set, compared by kind, content and name. One that changed is dropped and added, unless
  the database can change it in place (`Normalizer.alterable`), or only its name changed and both names are the
  database's own making (`Dialect.generated_name`).
* **Constraints written at a column** come with it when it is added and go with it when it is dropped,
  except a primary key that makes way for another one, and a check that may use another column.
* **Renames** are said, never guessed: `renamed_from` counts while the former name is there and the
  new one is not; afterwards it is a hint that no longer applies, and no fault.
* **Everything else** a provider's models have is compared by the fields they declare.

The operations form a chain: each one's `after` is the next one's `before`, the last `after` is the
wanted table. Within the chain old constraints go first, then columns come, change and go, then
constraints come; so a table is never without columns, and no name is needed twice at a time.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from kolumn.engine.operations import NOTHING
from kolumn.engine.resource import Ref
from kolumn.sql import risks
from kolumn.sql.model import Check, Column, Constraint, ForeignKey, PrimaryKey, Table, Unique
from kolumn.sql.normal import Normalizer
from kolumn.sql.operations import (
    AddColumn,
    AddConstraint,
    AlterColumn,
    AlterConstraint,
    AlterTable,
    DropColumn,
    DropConstraint,
    RenameColumn,
)
from kolumn.sql.reference import quote
from kolumn.sql.renaming import with_column_renamed


def diff_table(live: Table, wanted: Table, normalizer: Normalizer, subject: Ref) -> list[AlterTable]:
    """Return the operations that turn `live` into `wanted`, both named `subject`; none if they are equal."""
    if live == wanted and not any(column.renamed_from for column in wanted.columns):
        return []
    return _TableDiff(live, wanted, normalizer, subject).operations()


def column_ref(table: Ref, name: str) -> Ref:
    """Return the ref of a column, by its folded name, for ordering."""
    return Ref("column", name, table.schema, table.name)


def key_ref(table: Ref, columns: Iterable[str]) -> Ref:
    """Return the ref of what is unique in a table: foreign keys need it to be there, in any order."""
    return Ref("key", ",".join(sorted(map(quote, columns))), table.schema, table.name)


def foreign_key_needs(table: Table, key: ForeignKey, normalizer: Normalizer) -> frozenset[Ref]:
    """Return what a foreign key of `table` needs: the table it refers to, its columns, and their key."""
    target = normalizer.target(table, key)
    ref = Ref("table", target.table, target.schema)
    if not target.columns:
        return frozenset({ref})
    columns = (column_ref(ref, name) for name in target.columns)
    return frozenset({ref, key_ref(ref, target.columns), *columns})


def add_constraint(
    before: Table, constraint: Constraint, normalizer: Normalizer, subject: Ref, new: Sequence[Column] = ()
) -> AddConstraint:
    """Return the addition of a constraint; `new` are the columns that the same change added."""
    needs, gives = _needs_and_gives(before, constraint, normalizer, subject)
    return AddConstraint(
        subject=subject,
        before=before,
        after=before.with_constraint(constraint),
        constraint=constraint,
        requires=needs,
        provides=gives,
        risks=()
        if risks.vacuous(constraint, tuple(new))
        else tuple(risks.adding_constraint(before, constraint)),
    )


def drop_constraint(
    before: Table, constraint: Constraint, normalizer: Normalizer, subject: Ref
) -> DropConstraint:
    """Return the drop of a constraint, wherever in `before` it is written."""
    needs, gives = _needs_and_gives(before, constraint, normalizer, subject)
    return DropConstraint(
        subject=subject,
        before=before,
        after=before.without_constraint(constraint),
        constraint=constraint,
        releases=needs,
        removes=gives,
    )


def _needs_and_gives(
    table: Table, constraint: Constraint, normalizer: Normalizer, subject: Ref
) -> tuple[frozenset[Ref], frozenset[Ref]]:
    if isinstance(constraint, ForeignKey):
        if normalizer.dialect.inline_foreign_keys:
            return NOTHING, NOTHING
        return foreign_key_needs(table, constraint, normalizer), NOTHING
    if isinstance(constraint, PrimaryKey | Unique) and all(part.column for part in constraint.columns):
        fold = normalizer.dialect.fold
        return NOTHING, frozenset({key_ref(subject, (fold(part.column) for part in constraint.columns))})
    return NOTHING, NOTHING


class _TableDiff:
    """One comparison; `_now` is the table as the operations found so far leave it."""

    def __init__(self, live: Table, wanted: Table, normalizer: Normalizer, subject: Ref) -> None:
        self._now = live
        self._wanted = wanted
        self._normalizer = normalizer
        self._dialect = normalizer.dialect
        self._fold = normalizer.dialect.fold
        self._subject = subject
        self._found: list[AlterTable] = []
        self._added: list[Column] = []
        self._altered: dict[Constraint, Constraint] = {}
        """Constraints that change in place, under their new names, and what they become, in normal form."""

    def operations(self) -> list[AlterTable]:
        self._rename_columns()
        if self._now != self._wanted:
            self._change()
        if self._found:
            self._found[-1] = dataclasses.replace(self._found[-1], after=self._wanted)
        return self._found

    def _change(self) -> None:
        now, wanted = self._normalizer.table(self._now), self._normalizer.table(self._wanted)
        if now != wanted:
            self._normal_now = {column.name: column for column in now.columns}
            self._normal_wanted = {column.name: column for column in wanted.columns}
            self._drop_constraints(now, wanted)
            self._add_columns(generated=False)
            self._alter_columns()
            self._add_columns(generated=True)
            self._drop_columns()
            self._alter_constraints(self._altered)
            self._add_constraints(wanted)
            self._alter_table(now, wanted)

    def _emit(self, operation: AlterTable) -> None:
        self._found.append(operation)
        self._now = operation.after

    def _rename_columns(self) -> None:
        """Rename until no hint applies any more: one rename can free the name that another one needs."""
        pending = [column for column in self._wanted.columns if column.renamed_from]
        while pending:
            held = {self._fold(column.name): column.name for column in self._now.columns}
            column = next((each for each in pending if _hint_applies(each, held, self._fold)), None)
            if column is None:
                return
            pending.remove(column)
            old = held[self._fold(column.renamed_from)]
            self._emit(
                RenameColumn(
                    subject=self._subject,
                    before=self._now,
                    after=with_column_renamed(self._now, self._now, old, column.name, self._normalizer),
                    old=old,
                    new=column.name,
                    removes=frozenset({column_ref(self._subject, self._fold(old))}),
                    provides=frozenset({column_ref(self._subject, self._fold(column.name))}),
                )
            )

    def _drop_constraints(self, now: Table, wanted: Table) -> None:
        held, kept = frozenset(now.constraints()), frozenset(wanted.constraints())
        altered = self._alterations(now, wanted)
        doomed = self._going_with_columns(any(isinstance(constraint, PrimaryKey) for constraint in kept))
        for constraint in sorted(dict.fromkeys(self._now.constraints()), key=_rank, reverse=True):
            normal = self._normalizer.constraint(self._now, constraint)
            if normal in held and normal not in kept and normal not in altered and constraint not in doomed:
                self._emit(drop_constraint(self._now, constraint, self._normalizer, self._subject))
        self._rename_constraints(altered)

    def _alterations(self, now: Table, wanted: Table) -> dict[Constraint, Constraint]:
        """Return the constraints that can become wanted ones in place, both in normal form.

        Those of one name are paired first; no new name may still be that of another constraint.
        """
        mine, theirs = dict.fromkeys(now.constraints()), dict.fromkeys(wanted.constraints())
        gone = [each for each in mine if each not in theirs]
        new = [each for each in theirs if each not in mine]
        staying = {each.name for each in mine if each in theirs and each.name}
        found: dict[Constraint, Constraint] = {}
        for same_name in (True, False):
            for before in gone:
                for after in new:
                    if (
                        before not in found
                        and after not in found.values()
                        and type(before) is type(after)
                        and (before.name == after.name) == same_name
                        and self._normalizer.alterable(before, after)
                    ):
                        found[before] = after
        names = {before.name: before for before in found}
        for before, after in list(found.items()):
            if after.name != before.name and (after.name in staying or after.name in names):
                del found[before]
        return found

    def _rename_constraints(self, altered: dict[Constraint, Constraint]) -> None:
        """Give altered constraints their names, which others may leave or take; the rest comes after columns.

        What they only lose they lose now, as a column may wait for that.
        """
        for old in dict.fromkeys(self._now.constraints()):
            normal = self._normalizer.constraint(self._now, old)
            after = altered.get(normal)
            if after is None:
                continue
            named = dataclasses.replace(old, name=after.name)
            if old.name != after.name:
                self._alter_constraint(old, named, ("name",))
            if self._normalizer.loosens(normal, after):
                self._alter_constraints({named: after})
            else:
                self._altered[named] = after

    def _alter_constraints(self, altered: dict[Constraint, Constraint]) -> None:
        wanted = {
            self._normalizer.constraint(self._wanted, each): each for each in self._wanted.constraints()
        }
        for old, after in altered.items():
            fields = self._normalizer.alterable(self._normalizer.constraint(self._now, old), after)
            if fields:
                self._alter_constraint(old, wanted[after], fields)

    def _alter_constraint(self, old: Constraint, new: Constraint, fields: tuple[str, ...]) -> None:
        self._emit(
            AlterConstraint(
                subject=self._subject,
                before=self._now,
                after=self._now.without_constraint(old).with_constraint(new),
                old=old,
                new=new,
                fields=fields,
            )
        )

    def _going_with_columns(self, rekeyed: bool) -> set[Constraint]:
        """Return what needs no drop of its own: constraints written at dropped columns and nowhere else."""
        names = [self._fold(column.name) for column in self._now.columns]
        going = [column for column in self._now.columns if self._fold(column.name) not in self._normal_wanted]
        columns = tuple(column for column in self._now.columns if column not in going)
        staying = dataclasses.replace(self._now, columns=columns).constraints()
        return {
            constraint
            for column in going
            for constraint in column.constraints()
            if constraint not in staying
            and not (rekeyed and isinstance(constraint, PrimaryKey))
            and not (isinstance(constraint, Check) and self._mentions(constraint.expression, names, column))
        }

    def _add_columns(self, *, generated: bool) -> None:
        missing = [
            column for column in self._wanted.columns if self._fold(column.name) not in self._normal_now
        ]
        waiting = [column for column in missing if bool(column.generated) == generated]
        while waiting:
            names = [self._fold(column.name) for column in waiting]
            column = next(
                (each for each in waiting if not self._mentions(each.generated, names, each)), waiting[0]
            )
            waiting.remove(column)
            self._add_column(column, [each for each in missing if each not in self._added and each != column])

    def _add_column(self, wanted: Column, later: Sequence[Column]) -> None:
        apart: list[type[Any]] = []
        if not self._dialect.inline_foreign_keys:
            apart += [kind for kind in wanted.CONSTRAINTS if issubclass(kind, ForeignKey)]
        if self._mentions(wanted.check, [self._fold(each.name) for each in later], wanted):
            apart += [kind for kind in wanted.CONSTRAINTS if issubclass(kind, Check)]
        column = wanted.without_constraints(*apart) if apart else wanted
        needs: set[Ref] = set()
        gives = {column_ref(self._subject, self._fold(column.name))}
        for constraint in column.constraints():
            more, given = _needs_and_gives(self._wanted, constraint, self._normalizer, self._subject)
            needs |= more
            gives |= given
        self._emit(
            AddColumn(
                subject=self._subject,
                before=self._now,
                after=dataclasses.replace(self._now, columns=tuple(self._placed(column))),
                column=column,
                requires=frozenset(needs),
                provides=frozenset(gives),
                risks=tuple(risks.adding_column(self._now, column)),
            )
        )
        self._added.append(wanted)

    def _mentions(self, text: str, names: Iterable[str], column: Column) -> bool:
        """Whether `text` may use one of the columns `names` other than `column`; rather yes than no."""
        folded, own = self._fold(text), self._fold(column.name)
        return bool(text) and any(name in folded for name in names if name != own)

    def _placed(self, column: Column) -> list[Column]:
        columns = list(self._now.columns)
        at = len(columns)
        if self._dialect.places_columns:
            places = {self._fold(each.name): place for place, each in enumerate(columns)}
            names = [self._fold(each.name) for each in self._wanted.columns]
            ahead = reversed(names[: names.index(self._fold(column.name))])
            at = next((places[name] + 1 for name in ahead if name in places), 0)
        return [*columns[:at], column, *columns[at:]]

    def _alter_columns(self) -> None:
        for wanted in self._wanted.columns:
            name = self._fold(wanted.name)
            old = next((each for each in self._now.columns if self._fold(each.name) == name), None)
            if old is None or name not in self._normal_now:
                continue
            fields = tuple(_differences(self._normal_now[name], self._normal_wanted[name]))
            if not fields:
                continue
            new = wanted.with_constraints_of(old)
            found = list(risks.altering_column(self._now, old, new))
            if "type" in fields:
                found += self._dialect.type_change_risks(self._now.name, old, new)
            columns = tuple(new if each is old else each for each in self._now.columns)
            self._emit(
                AlterColumn(
                    subject=self._subject,
                    before=self._now,
                    after=dataclasses.replace(self._now, columns=columns),
                    old=old,
                    new=new,
                    fields=fields,
                    risks=tuple(found),
                )
            )

    def _drop_columns(self) -> None:
        gone = [column for column in self._now.columns if self._fold(column.name) not in self._normal_wanted]
        for column in sorted(gone, key=lambda each: not each.generated):
            needs: set[Ref] = set()
            gives = {column_ref(self._subject, self._fold(column.name))}
            for constraint in column.constraints():
                more, given = _needs_and_gives(self._now, constraint, self._normalizer, self._subject)
                needs |= more
                gives |= given
            self._emit(
                DropColumn(
                    subject=self._subject,
                    before=self._now,
                    after=dataclasses.replace(
                        self._now, columns=tuple(each for each in self._now.columns if each is not column)
                    ),
                    column=column,
                    releases=frozenset(needs),
                    removes=frozenset(gives),
                    risks=tuple(risks.dropping_column(self._now, column)),
                )
            )

    def _add_constraints(self, wanted: Table) -> None:
        kept = frozenset(wanted.constraints())
        held = {self._normalizer.constraint(self._now, each) for each in self._now.constraints()}
        for constraint in sorted(self._wanted.constraints(), key=_rank):
            normal = self._normalizer.constraint(self._wanted, constraint)
            if normal in kept and normal not in held:
                held.add(normal)
                self._emit(
                    add_constraint(self._now, constraint, self._normalizer, self._subject, self._added)
                )

    def _alter_table(self, now: Table, wanted: Table) -> None:
        apart = {"name", "schema", "columns", *now.CONSTRAINTS.values()}
        fields = tuple(field for field in _differences(now, wanted) if field not in apart)
        if fields:
            changes: dict[str, Any] = {field: getattr(self._wanted, field) for field in fields}
            self._emit(
                AlterTable(
                    subject=self._subject,
                    before=self._now,
                    after=dataclasses.replace(self._now, **changes),
                    fields=fields,
                )
            )


def _hint_applies(column: Column, held: dict[str, str], fold: Any) -> bool:
    """Whether the column is still there under its former name only, or in another spelling of its name."""
    former, name = fold(column.renamed_from), fold(column.name)
    if former == name:
        return held.get(name) == column.renamed_from != column.name
    return former in held and name not in held


def _differences(before: Any, after: Any) -> Iterator[str]:
    for field in dataclasses.fields(before):
        if field.compare and getattr(before, field.name) != getattr(after, field.name, None):
            yield field.name


_RANKS = (PrimaryKey, Unique, Check)


def _rank(constraint: Constraint) -> int:
    """Order of addition: keys before what may refer to them, foreign keys last."""
    if isinstance(constraint, ForeignKey):
        return len(_RANKS) + 1
    return next((rank for rank, kind in enumerate(_RANKS) if isinstance(constraint, kind)), len(_RANKS))
