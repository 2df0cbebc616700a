"""CREATE TABLE and CREATE VIRTUAL TABLE (https://sqlite.org/lang_createtable.html)."""

from __future__ import annotations

from typing import Any

from kolumn.providers.sqlite.ddl.cursor import Cursor
from kolumn.providers.sqlite.ddl.index import parse_key_parts
from kolumn.providers.sqlite.fragments import is_type_word
from kolumn.providers.sqlite.model import (
    SQLiteCheck,
    SQLiteColumn,
    SQLiteForeignKey,
    SQLitePrimaryKey,
    SQLiteTable,
    SQLiteUnique,
)
from kolumn.providers.sqlite.tokens import BLOB, comments
from kolumn.sql.reference import Reference
from kolumn.sql.tokens import NUMBER, STRING

_TABLE_CONSTRAINTS = frozenset({"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"})
_ACTIONS = {
    ("SET", "NULL"): "set null",
    ("SET", "DEFAULT"): "set default",
    ("NO", "ACTION"): "no action",
    ("CASCADE",): "cascade",
    ("RESTRICT",): "restrict",
}


def parse_table(text: str) -> SQLiteTable:
    """Read a table, or a virtual one with its module's arguments as they are written."""
    cursor = Cursor(text)
    cursor.expect("CREATE")
    if cursor.accept("VIRTUAL"):
        return _parse_virtual(cursor)
    cursor.expect("TABLE")
    return _TableReader(cursor).read()


def _parse_virtual(cursor: Cursor) -> SQLiteTable:
    cursor.expect("TABLE")
    name = cursor.object_name()
    cursor.expect("USING")
    using = cursor.name()
    arguments: list[str] = []
    if cursor.accept("("):
        while True:
            start = cursor.last_end
            cursor.skip_to(",", ")")
            arguments.append(cursor.text[start : cursor.token.start].strip())
            if not cursor.accept(","):
                break
        cursor.expect(")")
    cursor.finish()
    if arguments == [""]:
        arguments = []
    return SQLiteTable(name=name, using=using, arguments=tuple(arguments), statement=cursor.text)


class _TableReader:
    """One CREATE TABLE statement on its way into a model."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._written = ["columns"]
        self._columns: list[dict[str, Any]] = []
        self._primary_key: SQLitePrimaryKey | None = None
        self._uniques: list[SQLiteUnique] = []
        self._checks: list[SQLiteCheck] = []
        self._foreign_keys: list[dict[str, Any]] = []
        self._last_foreign_key: dict[str, Any] | None = None
        """What a DEFERRABLE clause applies to, wherever it stands: the foreign key before it."""
        self._comments = list(comments(cursor.text)) if "--" in cursor.text or "/*" in cursor.text else []

    def read(self) -> SQLiteTable:
        cursor = self._cursor
        name = cursor.object_name()
        cursor.expect("(")
        comment = self._comment(cursor.last_end, cursor.token.start)
        while True:
            self._read_column()
            column = self._columns[-1]
            end = cursor.last_end
            more = cursor.accept(",")
            if about := self._comment(end, cursor.token.start):
                column["comment"] = about
            if not more or (cursor.word in _TABLE_CONSTRAINTS):
                break
        if more or cursor.word in _TABLE_CONSTRAINTS:
            self._read_constraints()
        cursor.expect(")")
        strict = without_rowid = False
        while cursor.token.kind != "end":
            if cursor.accept("WITHOUT"):
                if cursor.name().lower() != "rowid":
                    raise cursor.fault("an unknown table option")
                without_rowid = True
                self._written.append("without_rowid")
            elif cursor.word == "STRICT":
                cursor.take()
                strict = True
                self._written.append("strict")
            else:
                raise cursor.fault("an unknown table option")
            if not cursor.accept(","):
                break
        cursor.finish()
        return SQLiteTable(
            name=name,
            statement=cursor.text,
            columns=tuple(self._build_column(values) for values in self._columns),
            primary_key=self._primary_key,
            uniques=tuple(self._uniques),
            checks=tuple(self._checks),
            foreign_keys=tuple(_build_foreign_key(values) for values in self._foreign_keys),
            strict=strict,
            without_rowid=without_rowid,
            comment=comment,
            written=tuple(self._written),
        )

    def _comment(self, start: int, end: int) -> str:
        """Return the comment between two places if it is the only one and begins on the line of the first."""
        if not self._comments:
            return ""
        found = [each for each in self._comments if start <= each.start < end]
        if len(found) != 1 or "\n" in self._cursor.text[start : found[0].start]:
            return ""
        text = found[0].text
        return text[2:].strip() if text.startswith("--") else text[2:].removesuffix("*/").strip()

    def _build_column(self, values: dict[str, Any]) -> SQLiteColumn:
        written = tuple("references" if key == "target" else key for key in values)
        target = values.pop("target", None)
        if target is not None:
            values["references"] = str(target)
        return SQLiteColumn(written=written, **values)

    def _read_column(self) -> None:
        cursor = self._cursor
        values: dict[str, Any] = {"name": cursor.name()}
        if is_type_word(cursor.token):
            values["type"] = self._read_type()
            if not values["type"]:
                del values["type"]
        self._columns.append(values)
        name = ""
        while True:
            if cursor.accept("CONSTRAINT"):
                name = cursor.name()
                continue
            if not self._read_column_constraint(values, name):
                break
            name = ""

    def _read_type(self) -> str:
        cursor = self._cursor
        start = cursor.token.start
        token = cursor.token
        while is_type_word(token):
            if (
                token.word == "GENERATED"
                and cursor.ahead(1).word == "ALWAYS"
                and cursor.ahead(2).word == "AS"
            ):
                break
            cursor.place += 1
            token = cursor.token
        if cursor.last_end <= start:
            return ""
        if cursor.accept("("):
            cursor.skip_to(")")
            cursor.expect(")")
        return cursor.text[start : cursor.last_end]

    def _read_column_constraint(self, values: dict[str, Any], name: str) -> bool:
        """Read one constraint of a column; False if there is none."""
        cursor = self._cursor

        def named(key: str) -> None:
            if name:
                values[f"{key}_name"] = name

        def on_conflict(key: str) -> None:
            if resolution := cursor.conflict():
                values[f"{key}_conflict"] = resolution

        match cursor.word:
            case "NOT" if cursor.ahead(1).word == "NULL":
                cursor.expect("NOT", "NULL")
                values["not_null"] = True
                on_conflict("not_null")
            case "NULL":
                cursor.take()
                values.setdefault("not_null", False)
                cursor.conflict()
            case "PRIMARY":
                cursor.expect("PRIMARY", "KEY")
                values["primary_key"] = True
                if cursor.word in ("ASC", "DESC"):
                    values["primary_key_order"] = cursor.take().text.lower()
                named("primary_key")
                on_conflict("primary_key")
                if cursor.accept("AUTOINCREMENT"):
                    values["autoincrement"] = True
            case "UNIQUE":
                cursor.take()
                values["unique"] = True
                named("unique")
                on_conflict("unique")
            case "CHECK":
                cursor.take()
                expression = cursor.parenthesised()
                if "check" in values:
                    self._add("checks", self._checks, SQLiteCheck(expression=expression, name=name))
                else:
                    values["check"] = expression
                    named("check")
            case "DEFAULT":
                cursor.take()
                values.pop("default", None)
                values["default"] = self._read_default()
            case "COLLATE":
                cursor.take()
                values.pop("collation", None)
                values["collation"] = cursor.name()
            case "REFERENCES":
                self._read_references(values, name)
            case "DEFERRABLE":
                self._read_deferrable()
            case "NOT" if cursor.ahead(1).word == "DEFERRABLE":
                self._read_deferrable()
            case "AS" | "GENERATED":
                if not cursor.accept("AS"):
                    cursor.expect("GENERATED", "ALWAYS", "AS")
                values["generated"] = cursor.parenthesised()
                if cursor.word in ("STORED", "VIRTUAL"):
                    values["stored"] = cursor.take().word == "STORED"
            case _:
                return False
        return True

    def _read_default(self) -> str:
        cursor = self._cursor
        start = cursor.token.start
        if cursor.accept("("):
            cursor.skip_to(")")
            cursor.expect(")")
        else:
            if cursor.word in ("+", "-"):
                cursor.take()
            if cursor.word == "NULL" or cursor.token.kind in (STRING, NUMBER, BLOB):
                cursor.take()
            else:
                cursor.name()
        return cursor.text[start : cursor.last_end]

    def _read_references(self, values: dict[str, Any], name: str) -> None:
        """Read a column's REFERENCES; a second one at the same column becomes a constraint of the table."""
        key: dict[str, Any] = values
        if "target" in values:
            key = {"columns": (values["name"],), "name": name}
            self._add("foreign_keys", self._foreign_keys, key)
        elif name:
            values["references_name"] = name
        self._read_target(key)

    def _read_target(self, key: dict[str, Any]) -> None:
        cursor = self._cursor
        cursor.expect("REFERENCES")
        table = cursor.name()
        columns = cursor.names() if cursor.word == "(" else ()
        key["target"] = Reference(table, columns)
        self._last_foreign_key = key
        while True:
            if cursor.accept("MATCH"):
                key["match"] = cursor.name()
            elif cursor.word == "ON" and cursor.ahead(1).word in ("DELETE", "UPDATE", "INSERT"):
                cursor.take()
                event = cursor.take().text.lower()
                action = self._read_action()
                if event != "insert":
                    key[f"on_{event}"] = action
            else:
                return

    def _read_action(self) -> str:
        for words, action in _ACTIONS.items():
            if self._cursor.accept(*words):
                return action
        raise self._cursor.fault(f"{self._cursor.token.text!r} instead of a foreign key action")

    def _read_deferrable(self) -> None:
        cursor = self._cursor
        deferrable = not cursor.accept("NOT")
        cursor.expect("DEFERRABLE")
        deferred: bool | None = None
        if cursor.accept("INITIALLY"):
            if cursor.word not in ("DEFERRED", "IMMEDIATE"):
                raise cursor.fault(f"{cursor.token.text!r} instead of DEFERRED or IMMEDIATE")
            deferred = cursor.take().word == "DEFERRED"
        key = self._last_foreign_key
        if key is not None:
            key["deferrable"] = deferrable
            key.pop("initially_deferred", None)
            if deferrable and deferred is not None:
                key["initially_deferred"] = deferred

    def _add(self, key: str, constraints: list[Any], constraint: Any) -> None:
        constraints.append(constraint)
        if key not in self._written:
            self._written.append(key)

    def _read_constraints(self) -> None:
        """Read table constraints; commas between them are optional, names may stand without a constraint."""
        cursor = self._cursor
        name = ""
        while True:
            match cursor.word:
                case "CONSTRAINT":
                    cursor.take()
                    name = cursor.name()
                    continue
                case ",":
                    cursor.take()
                case "PRIMARY":
                    cursor.expect("PRIMARY", "KEY")
                    parts, autoincrement = parse_key_parts(cursor)
                    if self._primary_key is not None:
                        raise cursor.fault("a second primary key")
                    self._primary_key = SQLitePrimaryKey(
                        columns=parts, name=name, autoincrement=autoincrement, on_conflict=cursor.conflict()
                    )
                    self._written.append("primary_key")
                case "UNIQUE":
                    cursor.take()
                    parts, _ = parse_key_parts(cursor)
                    unique = SQLiteUnique(columns=parts, name=name, on_conflict=cursor.conflict())
                    self._add("uniques", self._uniques, unique)
                case "CHECK":
                    cursor.take()
                    check = SQLiteCheck(expression=cursor.parenthesised(), name=name)
                    cursor.conflict()
                    self._add("checks", self._checks, check)
                case "FOREIGN":
                    cursor.expect("FOREIGN", "KEY")
                    key: dict[str, Any] = {"columns": cursor.names(), "name": name}
                    self._read_target(key)
                    if "DEFERRABLE" in (cursor.token.word, cursor.ahead(1).word):
                        self._read_deferrable()
                    self._add("foreign_keys", self._foreign_keys, key)
                case _:
                    return
            name = ""


def _build_foreign_key(values: dict[str, Any]) -> SQLiteForeignKey:
    if not values["name"]:
        del values["name"]
    written = tuple("references" if key == "target" else key for key in values)
    values["references"] = str(values.pop("target"))
    return SQLiteForeignKey(written=written, **values)
