from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kolumn.config.project import Project, ResourceConfig
from kolumn.contract.schema import AttributeSchema, ObjectType
from kolumn.host.declared_secrets import mark

TEXT = AttributeSchema(type="string")
SECRET = AttributeSchema(type="string", sensitive=True)
SCHEMA = ObjectType(
    attributes={
        "name": TEXT,
        "password": SECRET,
        "keys": AttributeSchema(
            type="list", elements=ObjectType(attributes={"name": TEXT, "value": SECRET, "note": TEXT})
        ),
        "login": AttributeSchema(type="map", elements=ObjectType(attributes={"token": SECRET})),
    }
)


def schemas(provider: str) -> Mapping[str, ObjectType]:
    return {"user": SCHEMA, "table": ObjectType(attributes={"name": TEXT})} if provider == "db" else {}


def project(**resources: Mapping[str, Any]) -> Project:
    return Project(
        folder="",
        resources=tuple(
            ResourceConfig(
                address=f"db_{kind}.a",
                type=f"db_{kind}",
                name="a",
                provider="db.second",
                config=config,
                sensitive=frozenset({"name"}) if kind == "user" else frozenset(),
            )
            for kind, config in resources.items()
        ),
    )


def test_declared_secrets_are_sensitive_wherever_they_are_written() -> None:
    marked, texts = mark(
        project(
            user={
                "name": "x",
                "password": "one",
                "key": [{"name": "a", "value": "two"}, {"name": "b"}],
                "login": {"token": "three"},
            },
            table={"name": "password"},
        ),
        schemas,
    )
    user, table = marked.resources
    assert user.sensitive == {"name", "password", "key[0].value", "login.token"}
    assert table.sensitive == frozenset()
    assert texts == ("one", "two", "three")


def test_blocks_by_name_are_looked_into() -> None:
    marked, texts = mark(project(user={"keys": {'a "b': {"value": "one", "note": "two"}}}), schemas)
    assert marked.resources[0].sensitive == {"name", 'keys["a \\"b"].value'}
    assert texts == ("one",)


def test_a_project_without_any_stays_as_it_is() -> None:
    given = project(user={"name": "x", "password": None}, table={"name": "y"})
    assert mark(given, schemas) == (given, ())
    assert mark(given, schemas)[0] is given
    elsewhere = mark(given, lambda _: {})
    assert elsewhere == (given, ())
