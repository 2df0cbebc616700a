"""`kolumn init`: a small project that works as it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kolumn.contract.errors import ValidationError
from kolumn.host.importing import write_files

if TYPE_CHECKING:
    from kolumn.host.supply import Supply

_SQLITE = {
    "main.kl": """\
# What the database should hold. `kolumn plan` shows what would change, `kolumn apply` makes it so.

create "sqlite_table" "authors" {
  column "id" {
    type        = "integer"
    primary_key = true
  }

  column "name" {
    type     = "text"
    not_null = true
  }
}

create "sqlite_table" "books" {
  column "id" {
    type        = "integer"
    primary_key = true
  }

  column "title" {
    type     = "text"
    not_null = true
  }

  # A reference to another resource: it is created first, and the database keeps the two together.
  column "author_id" {
    type       = "integer"
    references = sqlite_table.authors.id
    on_delete  = "cascade"
  }
}

create "sqlite_index" "books_by_title" {
  table   = sqlite_table.books.name
  columns = ["title"]
}

output "tables" {
  value = [sqlite_table.authors.name, sqlite_table.books.name]
}
""",
    "providers.kl": """\
# Where the database is. The file is created with the first apply.
provider "sqlite" {
  path = "${path.module}/library.db"
}
""",
}
_GENERIC = """\
# Where the database is: write `url` here, or set {variable}.
provider "{name}" {{
}}
"""


def scaffold(folder: Path, provider: str, supply: Supply | None = None) -> tuple[str, ...]:
    """Write a project for `provider` into `folder` and return the paths written.

    Raises ValidationError rather than overwrite anything, and for a provider that is not installed.
    """
    from kolumn.config.project import ProviderConfig
    from kolumn.host.providers import url_variables
    from kolumn.host.supply import InProcess

    (InProcess() if supply is None else supply).check(provider)
    files = _SQLITE
    if provider != "sqlite":
        variable = url_variables(ProviderConfig(type=provider))[-1]
        files = {"providers.kl": _GENERIC.format(name=provider, variable=variable)}
    if folder.is_dir():
        present = sorted(each.name for each in folder.iterdir() if each.name.endswith((".kl", ".kl.json")))
        if present:
            raise ValidationError(
                f"{folder} holds configuration already ({', '.join(present[:5])}). Nothing was written.",
                code="would_overwrite",
            )
    return write_files(folder, files)
