"""Users, roles and what they may do."""

from tests.client import wanted
from tests.providers.mysql.test_tables import forget


def user(**more):
    return wanted("user", "kolumn_test_u", {"name": "kolumn_test_u", "host": "localhost", **more})


def test_a_password_is_told_by_what_the_server_keeps(client):
    client.apply(user(password="first-one-4711"))
    forget(client)
    assert client.plan(user(password="first-one-4711"))["execution_order"] == []
    assert client.plan(user(password="another-0815"))["execution_order"] != []
    client.apply(user(password="another-0815"))
    forget(client)
    assert client.plan(user(password="another-0815"))["execution_order"] == []


def test_roles_and_grants(client, ask):
    resources = [
        wanted("role", "kolumn_test_r", {"name": "kolumn_test_r"}),
        user(member_of=["kolumn_test_r"], default_roles=["kolumn_test_r"]),
        wanted("table", "t", {"name": "t", "columns": [{"name": "a", "type": "int"}]}),
        wanted("grant", "g1", {"account": "kolumn_test_r", "object": "t", "privileges": ["select"]}),
        wanted("grant", "g2", {"account": "kolumn_test_r", "on": "schema", "privileges": ["create", "drop"]}),
        wanted(
            "grant",
            "g3",
            {
                "account": "kolumn_test_u@localhost",
                "object": "t",
                "columns": [{"names": ["a"], "privileges": ["update"]}],
                "grant_option": True,
            },
        ),
    ]
    client.apply(*resources)
    forget(client)
    assert client.plan(*resources)["execution_order"] == []
    shown = " ".join(str(row) for row in ask("SHOW GRANTS FOR kolumn_test_u@localhost"))
    assert "UPDATE (`a`)" in shown
    assert "kolumn_test_r" in shown
    client.apply(*(dict(each, action="delete") for each in resources))
    assert ask("SELECT count(*) FROM mysql.user WHERE user LIKE 'kolumn_test%'") == [(0,)]
