"""What means the same to PostgreSQL, and what is exactly one piece of its language.

Names in configuration are exact: `name = "Users"` is the table "Users", as if in double quotes. Only inside
the texts of SQL do PostgreSQL's rules of folding count.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from kolumn.engine.operations import Risk
from kolumn.providers.postgres.language import fragments, mentions, naming, normal, renaming, types
from kolumn.providers.postgres.language.conversions import conversion
from kolumn.providers.postgres.language.tokens import NAME_BYTES
from kolumn.sql.dialect import Dialect, Relation
from kolumn.sql.model import Check, Column, Constraint, ForeignKey, PrimaryKey

PUBLIC = "public"

_CONSTANTS = frozenset(
    {
        *("null", "true", "false", "current_date", "current_time", "current_timestamp", "localtime"),
        *("localtimestamp", "current_user", "session_user", "user", "current_role", "current_catalog"),
        *("current_schema", "system_user"),
    }
)

_RENAMED = frozenset(
    {
        *("aggregate", "collation", "composite_type", "domain", "enum", "event_trigger", "foreign_key"),
        *("function", "index", "materialized_view", "policy", "procedure", "publication", "range_type"),
        *("role", "rule", "schema", "sequence", "statistics", "table", "text_search_configuration"),
        *("trigger", "user", "view"),
    }
)


class PostgresDialect(Dialect):
    """PostgreSQL's language."""

    name = "postgres"
    fragments = fragments
    inline_foreign_keys = False
    renames = _RENAMED
    named_in_table = frozenset({"foreign_key", "policy", "rule", "trigger"})
    relation_types = ("table", "view", "materialized_view", "sequence")

    def fold(self, identifier: str) -> str:
        """Return `identifier` itself: names in configuration are exact."""
        return identifier

    def normal_schema(self, name: str) -> str:
        """Return the name, empty for public."""
        return "" if name == PUBLIC else name

    def normal_type(self, type_name: str) -> str:
        """Return the type as `format_type` spells it, without public."""
        return types.normal_type(type_name)

    def normal_expression(self, text: str) -> str:
        """Return the expression's form (see `normal`)."""
        return normal.normal_expression(text)

    def normal_statement(self, text: str) -> str:
        """Return the statement's form (see `normal`)."""
        return normal.normal_statement(text)

    def generated_name(self, table: str, constraint: Constraint) -> bool:
        """Whether the constraint's name is what PostgreSQL gives to one without a name (see `naming`)."""
        return _generated_name(table, constraint)

    def type_change_risks(self, table: str, before: Column, after: Column) -> tuple[Risk, ...]:
        """Return what ALTER COLUMN ... TYPE endangers (see `conversions`)."""
        found = conversion(before.type, after.type)
        column = f"{table}.{after.name}"
        change = f"{types.normal_type(before.type)} to {types.normal_type(after.type)}"
        risks = []
        if found.loses and not before.generated:
            risks.append(Risk("data_loss", f"{column}, {change}: {found.loses}"))
        if found.fails:
            risks.append(Risk("may_fail", f"{column}, {change}: fails {found.fails}"))
        if found.changes:
            risks.append(Risk("conversion", f"{column}, {change}: {found.changes}"))
        if found.rewrites:
            risks.append(Risk("table_rewrite", f"{column}, {change}: copies every row of table {table}"))
            risks.append(Risk("long_lock", f"nobody reads or writes table {table} while it is copied"))
        return tuple(risks)

    def relations(self, text: str) -> frozenset[Relation]:
        """Return the names that stand where tables do, those of common table expressions among them."""
        return mentions.relations(text)

    def functions(self, text: str) -> frozenset[mentions.Name]:
        """Return the names of what the text calls."""
        return mentions.functions(text)

    def type_names(self, text: str) -> frozenset[mentions.Name]:
        """Return the types the text names that are not built in."""
        return mentions.type_names(text)

    def sequences(self, text: str) -> frozenset[mentions.Name]:
        """Return the sequences, and other relations, that the text names in string constants."""
        return mentions.sequences(text)

    def type_of(self, text: str) -> mentions.Name | None:
        """Return the user's type that `text` names, alone or as an array of it; None for a built-in one."""
        parsed = types.parse_type(text)
        if isinstance(parsed, str) or parsed.built_in or types.serial_of(text):
            return None
        return mentions.user_type(parsed)

    def with_column_renamed(self, text: str, old: str, new: str) -> str:
        """Return the expression as PostgreSQL words it once the column has its new name."""
        return renaming.with_column_renamed(text, old, new)

    def check_identifier(self, name: str) -> str | None:
        """Return why PostgreSQL cannot have this name: it is empty, too long, or no text."""
        return _identifier_fault(name) or None

    def is_constant(self, word: str) -> bool:
        """Whether `word` is NULL, TRUE, FALSE, or one of CURRENT_TIMESTAMP and its kin."""
        return word.lower() in _CONSTANTS


@lru_cache(maxsize=65536)
def _identifier_fault(name: str) -> str:
    if not name:
        return "it is empty"
    if "\0" in name:
        return "it has a NUL character"
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return "it is no valid Unicode text"
    if size > NAME_BYTES:
        return f"it is {size} bytes long, and PostgreSQL cuts names off after {NAME_BYTES}"
    return ""


@lru_cache(maxsize=65536)
def _generated_name(table: str, constraint: Any) -> bool:
    """Whether a constraint has the name PostgreSQL would choose, any number at its end."""
    name = constraint.name
    number = naming.number_of(name)
    match constraint:
        case PrimaryKey():
            return bool(name == naming.primary_key_name(table))
        case ForeignKey(columns=columns):
            return bool(name == naming.foreign_key_name(table, columns, number))
        case Check(expression=expression):
            words = ("", *sorted(mentions.names(expression)))
            return any(name == naming.check_name(table, word, number) for word in words)
    parts = [*_parts(constraint), *getattr(constraint, "include", ())]
    label = "excl" if constraint.KIND.startswith("exclu") else "key"
    return bool(parts) and bool(name == naming.key_name(table, parts, label, number))


def _parts(constraint: Any) -> list[str]:
    """Return what a key or exclusion constraint consists of, as its name would have it."""
    elements: Any = getattr(constraint, "columns", ()) or getattr(constraint, "elements", ())
    return [each.column or naming.expression_name(each.expression) for each in elements]
