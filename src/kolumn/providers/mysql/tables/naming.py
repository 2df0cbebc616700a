"""The names that the servers give to constraints without one; Kolumn gives the same, so that it knows them."""

from __future__ import annotations

import re

from kolumn.providers.mysql.connection.server import Server
from kolumn.providers.mysql.language.tokens import fold
from kolumn.sql.model import Check, Constraint, ForeignKey, Table, Unique


def name_of(constraint: Constraint, others: Table, server: Server) -> str:
    """Return the constraint's name, else the one it gets in a table that has `others` already."""
    if constraint.name:
        return constraint.name
    match constraint:
        case Unique():
            return _of_unique(constraint, others)
        case ForeignKey():
            return f"{others.name}_ibfk_{_next(others, ForeignKey, rf'{re.escape(fold(others.name))}_ibfk_')}"
        case Check() if server.is_mariadb:
            return f"CONSTRAINT_{_next(others, Check, 'constraint_')}"
        case Check():
            return f"{others.name}_chk_{_next(others, Check, rf'{re.escape(fold(others.name))}_chk_')}"
    return ""


def _next(table: Table, kind: type[Constraint], pattern: str) -> int:
    """Return the number after the greatest in use; those without a name have one each."""
    mine = [each for each in dict.fromkeys(table.constraints()) if isinstance(each, kind)]
    found = [re.fullmatch(pattern + r"(\d+)", fold(each.name)) for each in mine]
    greatest = max((int(each[1]) for each in found if each), default=0)
    return greatest + sum(not each.name for each in mine) + 1


def _of_unique(constraint: Unique, table: Table) -> str:
    column = constraint.columns[0].column
    taken = set()
    for each in dict.fromkeys(table.constraints()):
        if isinstance(each, Unique) and each != constraint:
            taken.add(fold(each.name) if each.name else fold(each.columns[0].column))
    name, number = column, 2
    while fold(name) in taken:
        name, number = f"{column}_{number}", number + 1
    return name
