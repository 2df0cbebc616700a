"""States of tables lead to each other both ways: a group of them together, and in the soak each alone."""

from __future__ import annotations

import pytest

from tests.command import ONLY_IN_SOAK
from tests.providers.postgres import table_cases
from tests.providers.postgres.evolution import both_ways
from tests.providers.postgres.table_cases import Case
from tests.servers import postgres

GROUPS: dict[str, dict[str, Case]] = {
    "columns": table_cases.COLUMNS,
    "constraints": table_cases.CONSTRAINTS,
    "whole tables": table_cases.WHOLE,
    "indexes": table_cases.INDEXES,
    "dependents": table_cases.DEPENDENTS,
    "partitions": table_cases.PARTITIONS,
    "inheritance": table_cases.INHERITANCE,
}
ALL = [pytest.param(case, id=name) for cases in GROUPS.values() for name, case in cases.items()]


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_of_tables(server: postgres.Server, group: str) -> None:
    cases = [case for case in GROUPS[group].values() if case.since <= server.version]
    both_ways(server, *(";\n".join(scripts) for scripts in zip(*(case[:2] for case in cases), strict=True)))


@pytest.mark.soak
@ONLY_IN_SOAK
@pytest.mark.parametrize("case", ALL)
def test_a_table_alone(server: postgres.Server, case: Case) -> None:
    if case.since > server.version:
        pytest.skip(f"PostgreSQL {server.version} does not know it")
    both_ways(server, case.before, case.after)
