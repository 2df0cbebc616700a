"""The example with PostgreSQL, MySQL and DuckDB in one project: one plan, one apply, one destroy."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.targets import TARGETS, Settings

from .project import ProjectFolder

EXAMPLE = Path(__file__).parents[2] / "examples" / "three-databases" / "main.kl"
DATABASES = ("postgres", "mysql", "duckdb")


class Shop:
    """The example's project and its databases."""

    def __init__(self, project: ProjectFolder, settings: dict[str, Settings]) -> None:
        self.project, self.settings = project, settings

    def sql(self, database: str, script: str) -> None:
        TARGETS[database].execute(self.settings[database], script)

    def dump(self, database: str) -> str:
        lines = TARGETS[database].dump(self.settings[database])
        return "\n".join(line for line in lines if "kolumn" not in line.lower())

    def planned(self, *words: str) -> list[tuple[str, str]]:
        changes = self.project.ok("plan", "--json", *words).document["plan"]["resources"]
        return [(each["action"], each["address"]) for each in changes]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with ExitStack() as stack:
        settings = {
            name: stack.enter_context(TARGETS[name].fresh(tmp_path / f"{name}.database"))
            for name in DATABASES
        }
        project = ProjectFolder.at(tmp_path / "project")
        project.environment.clear()
        for name, each in settings.items():
            where = each.get("url") or f"{name}:///{each['path']}"
            project.environment[f"KOLUMN_{name.upper()}_URL"] = where
        shutil.copy(EXAMPLE, project.folder)
        yield Shop(project, settings)


def test_one_plan_one_apply_one_destroy(shop: Shop) -> None:
    assert shop.planned() == [
        ("create", "postgres_table.customer"),
        ("create", "mysql_table.purchase"),
        ("create", "duckdb_table.daily_sales"),
        ("create", "duckdb_view.best_days"),
    ]
    shop.project.apply()
    assert shop.project.settled()
    assert "region" in shop.dump("postgres")
    assert "customer.id in PostgreSQL" in shop.dump("mysql")
    assert "Summed from purchase" in shop.dump("duckdb")

    destroyed = shop.project.ok("destroy", "--auto-approve", "--json").document
    assert [each["address"] for each in destroyed["plan"]["resources"]] == [
        "duckdb_view.best_days",
        "duckdb_table.daily_sales",
        "mysql_table.purchase",
        "postgres_table.customer",
    ]
    for name, word in zip(DATABASES, ("public.customer", "purchase", "sales"), strict=True):
        assert word not in shop.dump(name)


def test_a_value_of_one_database_is_followed_in_the_others(shop: Shop) -> None:
    shop.project.apply()
    text = EXAMPLE.read_text().replace('"decimal(12,2)"', '"decimal(14,2)"')
    shop.project.write(text.replace('["eu", "us"]', '["eu", "us", "apac"]'))
    assert shop.planned() == [
        ("update", "postgres_table.customer"),
        ("update", "mysql_table.purchase"),
        ("update", "duckdb_table.daily_sales"),
    ]
    shop.project.apply()
    assert shop.project.settled()
    assert "DECIMAL(14,2)" in shop.dump("duckdb")


def test_what_fails_in_one_leaves_the_others_explained(shop: Shop) -> None:
    text = EXAMPLE.read_text()
    shop.project.write(text + 'create "mysql_view" "broken" { definition = "SELECT nothing FROM nowhere" }\n')

    ran = shop.project.run("apply", "--auto-approve")

    assert ran.code == 1
    assert "broken" in ran.out + ran.err
    shop.project.write(text)
    assert {address for _, address in shop.planned()} <= {
        "mysql_table.purchase",
        "mysql_view.broken",
        "duckdb_table.daily_sales",
        "duckdb_view.best_days",
    }
    shop.project.apply()
    assert shop.project.settled()


def test_drift_in_one_is_told_of_that_one(shop: Shop) -> None:
    shop.project.apply()
    shop.sql("mysql", "ALTER TABLE purchase ADD note text")
    ran = shop.project.run("drift", "--json")
    assert ran.code == 2
    assert [(each["address"], each["attribute"]) for each in ran.document["findings"]] == [
        ("mysql_table.purchase", "columns.note")
    ]
