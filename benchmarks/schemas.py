"""The schema that is measured: n ordinary tables, with what ordinary tables have.

Written twice from one description, as a script in the database's SQL and as Kolumn's configuration.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from string import Template

INDEXES_PER_TABLE = 2
TABLES_PER_VIEW = 10
REFERENCE = 1_000
"""The number of tables that cost per table is relative to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spelling:
    """How one database spells what the schema is made of; a person would write it the same way."""

    provider: str
    """Prefix of the resource types."""
    integer: str = "integer"
    string: str = "varchar(80)"
    text: str = "text"
    decimal: str = "numeric(10, 2)"
    boolean: str = "boolean"
    true: str = "true"
    real: str = "real"
    timestamp: str = "timestamptz"
    now: str = "CURRENT_TIMESTAMP"
    cascades: str = " ON DELETE CASCADE"
    cascades_attribute: str = '    on_delete  = "cascade"\n'
    refers_to_itself: bool = True
    """Whether the first table does, which has no other to refer to."""
    newest: str = " DESC"
    newest_attribute: str = ', order = "desc"'
    present: str = " WHERE email IS NOT NULL"
    present_attribute: str = '  where = "email IS NOT NULL"\n'

    def fill(self, template: str, **names: object) -> str:
        """Return the template with names and spellings in the place of $words."""
        words = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return Template(template).substitute(words, **names)


_TABLE = """\
CREATE TABLE $name (
  id $integer PRIMARY KEY,
  name $string NOT NULL,
  email $text,
  amount $decimal NOT NULL DEFAULT 0,
  quantity $integer NOT NULL DEFAULT $quantity,
  active $boolean NOT NULL DEFAULT $true,
  created_at $timestamp DEFAULT $now,
  note $text,
  score $real CHECK (score >= 0),
  parent_id $integer$reference
);
CREATE INDEX ${name}_parent ON $name (parent_id);
CREATE UNIQUE INDEX ${name}_email ON $name (email, created_at$newest)$present;
"""
_VIEW = """\
CREATE VIEW ${name}_open AS
SELECT child.id, child.name, parent.name AS parent
FROM $name AS child JOIN $parent AS parent ON parent.id = child.parent_id
WHERE child.active;
"""
_TABLE_RESOURCE = """\
create "${provider}_table" "$name" {
  column "id" {
    type        = "$integer"
    primary_key = true
  }
  column "name" {
    type     = "$string"
    not_null = true
  }
  column "email" {
    type = "$text"
  }
  column "amount" {
    type     = "$decimal"
    not_null = true
    default  = "0"
  }
  column "quantity" {
    type     = "$integer"
    not_null = true
    default  = "$quantity"
  }
  column "active" {
    type     = "$boolean"
    not_null = true
    default  = "$true"
  }
  column "created_at" {
    type    = "$timestamp"
    default = "$now"
  }
  column "note" {
    type = "$text"
  }
  column "score" {
    type  = "$real"
    check = "score >= 0"
  }
  column "parent_id" {
    type       = "$integer"
$reference_attribute  }
}

"""
_INDEX_RESOURCES = """\
create "${provider}_index" "${name}_parent" {
  table   = "$name"
  columns = ["parent_id"]
}

create "${provider}_index" "${name}_email" {
  table  = "$name"
  unique = true
  columns = [
    "email",
    { column = "created_at"$newest_attribute },
  ]
$present_attribute}

"""
_VIEW_RESOURCE = """\
create "${provider}_view" "${name}_open" {
  definition = <<-SQL
    SELECT child.id, child.name, parent.name AS parent
    FROM $name AS child JOIN $parent AS parent ON parent.id = child.parent_id
    WHERE child.active
  SQL
}

"""


def name(number: int) -> str:
    """Return the name of the table at `number`, counted from 0."""
    return f"account_{number:05d}"


def objects(tables: int) -> int:
    """Return how many resources the schema of `tables` tables has."""
    return tables * (1 + INDEXES_PER_TABLE) + tables // TABLES_PER_VIEW


def statements(spelling: Spelling, tables: int) -> Iterator[str]:
    """Yield the script, table by table: 10 columns, 2 indexes, 1 foreign key; a view for every ten tables."""
    for number in range(tables):
        names = _names(number, spelling)
        yield spelling.fill(_TABLE, quantity=1, **names)
        if _has_view(number):
            yield spelling.fill(_VIEW, **names)


def write_script(file: Path, spelling: Spelling, tables: int) -> None:
    """Write the script, without a transaction of its own."""
    with file.open("w", encoding="utf-8") as script:
        script.writelines(statements(spelling, tables))


def write_configuration(folder: Path, spelling: Spelling, tables: int, *, quantity: int = 1) -> None:
    """Write the same as configuration, a file for each type as `kolumn import` does.

    `quantity` is the default of one column of the table in the middle: 1 is what the script says.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "providers.kl").write_text(f'provider "{spelling.provider}" {{}}\n', encoding="utf-8")
    write_tables(folder, spelling, tables, quantity=quantity)
    with (folder / f"{spelling.provider}_index.kl").open("w", encoding="utf-8") as file:
        for number in range(tables):
            file.write(spelling.fill(_INDEX_RESOURCES, **_names(number, spelling)))
    with (folder / f"{spelling.provider}_view.kl").open("w", encoding="utf-8") as file:
        for number in filter(_has_view, range(tables)):
            file.write(spelling.fill(_VIEW_RESOURCE, **_names(number, spelling)))


def write_tables(folder: Path, spelling: Spelling, tables: int, *, quantity: int) -> None:
    """Write the tables' file of the configuration (see `write_configuration`)."""
    with (folder / f"{spelling.provider}_table.kl").open("w", encoding="utf-8") as file:
        for number in range(tables):
            value = quantity if number == tables // 2 else 1
            file.write(spelling.fill(_TABLE_RESOURCE, quantity=value, **_names(number, spelling)))


def _names(number: int, spelling: Spelling) -> dict[str, str]:
    parent = name(max(0, number - 1))
    refers = number > 0 or spelling.refers_to_itself
    attributes = f'    references = "{parent}(id)"\n{spelling.cascades_attribute}'
    return {
        "name": name(number),
        "parent": parent,
        "reference": f" REFERENCES {parent} (id){spelling.cascades}" if refers else "",
        "reference_attribute": attributes if refers else "",
    }


def _has_view(number: int) -> bool:
    return number % TABLES_PER_VIEW == TABLES_PER_VIEW - 1
