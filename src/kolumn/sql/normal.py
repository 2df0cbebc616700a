"""Normal forms of models: two with equal ones are the same to the database.

Driven by the grammar each field declares, so that what a provider adds takes part. A table's normal
form has its constraints at the table, sorted, whichever way they were written, and its columns
sorted by name: their order alone is no difference (see `sql.differ`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from kolumn.engine.declaration import replaced
from kolumn.engine.resource import Ref
from kolumn.engine.rewriting import rewrite
from kolumn.sql.dialect import Dialect
from kolumn.sql.model import Constraint, ForeignKey, Table, Trigger, parse_event
from kolumn.sql.reference import Reference, parse_reference, quote

M = TypeVar("M")
T = TypeVar("T", bound=Trigger)


class Grammar(NamedTuple):
    """What a text of one of a provider's own grammars has to be."""

    check: Callable[[str], str | None]
    """Returns why a text is not exactly one, None if it is."""
    normal: Callable[[str], str]
    """Returns what all spellings of the same have in common."""


class Normalizer:
    """Brings models into one dialect's normal form; `grammars` are those of the provider's own."""

    def __init__(self, dialect: Dialect, grammars: Mapping[str, Grammar] | None = None) -> None:
        self.dialect = dialect
        self._forms: Mapping[str, Callable[[str], str]] = {
            "identifier": dialect.fold,
            "column": dialect.fold,
            "schema": dialect.normal_schema,
            "type": dialect.normal_type,
            "expression": dialect.normal_expression,
            "default": dialect.normal_expression,
            "query": dialect.normal_statement,
            "body": dialect.normal_statement,
            "keyword": _normal_keyword,
            "event": self._normal_event,
            **{name: each.normal for name, each in (grammars or {}).items()},
        }

    def model(self, model: M, schema: str = "") -> M:
        """Return `model` with every text in normal form and without its hints.

        `schema`, folded, is where what is referred to without a schema lies.
        """

        def change(grammar: str, text: str) -> str:
            return self.text(grammar, text, schema)

        return rewrite(model, change, hints=False)

    def text(self, grammar: str, text: str, schema: str) -> str:
        """Return the normal form of one text of an object in `schema`, folded."""
        if grammar == "reference":
            target = self.reference(text, schema)
            return text if target is None else str(target)
        form = self._forms.get(grammar)
        return text if form is None else form(text)

    def table(self, table: Table) -> Table:
        """Return the normal form of a whole table."""
        bare = self.model(table, self.dialect.normal_schema(table.schema))
        found = {self.constraint(table, each) for each in table.constraints()}
        changes: dict[str, Any] = {}
        for kind, field in table.CONSTRAINTS.items():
            mine = tuple(sorted([each for each in found if isinstance(each, kind)], key=repr))
            changes[field] = mine if isinstance(getattr(bare, field), tuple) else next(iter(mine), None)
        columns = [each.without_constraints() for each in bare.columns]
        changes["columns"] = tuple(sorted(columns, key=lambda each: each.name))
        return self.dialect.normal_table(replaced(bare, changes))

    def constraint(self, table: Table, constraint: Constraint) -> Constraint:
        """Return the normal form of a constraint of `table`, nameless if the database named it."""
        normal = self.model(constraint, self.dialect.normal_schema(table.schema))
        if normal.name and self.dialect.generated_name(self.dialect.fold(table.name), normal):
            return replaced(normal, {"name": ""})
        return normal

    def alterable(self, before: Constraint, after: Constraint) -> tuple[str, ...]:
        """Return the attributes in which two constraints of a table differ, if all can change in place.

        Nothing where the database has to drop the one and add the other, as most have. Both in normal form.
        """
        return ()

    def loosens(self, before: Constraint, after: Constraint) -> bool:
        """Whether a change in place takes something from a constraint that its columns may have to wait for."""
        return False

    def trigger(self, trigger: T) -> T:
        """Return the normal form of a trigger: the order of its events says nothing."""
        normal = self.model(trigger)
        return replaced(normal, {"events": tuple(sorted(normal.events))})

    def reference(self, text: str, schema: str) -> Reference | None:
        """Return what a reference means, folded; without a schema, in `schema`. None if it is none."""
        found = parse_reference(text)
        if found is None:
            return None
        fold = self.dialect.fold
        where = self.dialect.normal_schema(found.schema) if found.schema else schema
        return Reference(fold(found.table), tuple(map(fold, found.columns)), where)

    def target(self, table: Table, key: ForeignKey) -> Reference:
        """Return what a foreign key of `table` refers to, folded, with its schema."""
        found = self.reference(key.references, self.dialect.normal_schema(table.schema))
        assert found is not None, key.references
        return found

    def table_ref(self, name: str, schema: str = "") -> Ref:
        """Return the ref of a table."""
        return Ref("table", self.dialect.fold(name), self.dialect.normal_schema(schema) if schema else "")

    def _normal_event(self, text: str) -> str:
        found = parse_event(text)
        if found is None:
            return text
        kind, columns = found
        names = sorted(quote(self.dialect.fold(name)) for name in columns)
        return f"{kind} of {', '.join(names)}" if names else kind


def _normal_keyword(text: str) -> str:
    return " ".join(text.lower().split())
