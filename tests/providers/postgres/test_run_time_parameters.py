from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolumn.providers.postgres.connection.run_time_parameters import changes, normal, problems
from tests.providers.postgres.databases import database
from tests.servers import postgres

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=10)


def test_values_come_back_as_they_were_given(server: postgres.Server) -> None:
    values = ["", "x", "it's", 'a "b"', "a\\b", "a,b", "%s", "$$", "ü", "1", "on"]
    with database(server, "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS ''") as made:
        for value in values:
            made.run(*(f"ALTER FUNCTION f() {change}" for change in changes({}, {"app.odd": value})))
            (kept,) = made.one("SELECT proconfig FROM pg_proc WHERE proname = 'f'")
            assert kept == f"app.odd={value}"


@pytest.mark.parametrize(
    ("given_value", "kept"),
    [
        ("app, public", "app, public"),
        ('"My Schema",App', '"My Schema", app'),
        ("", '""'),
        ('"a""b", "c,d"', '"a""b", "c,d"'),
        ('"$user", public', '"$user", public'),
    ],
)
def test_lists_of_names_are_kept_as_the_server_does(
    server: postgres.Server, given_value: str, kept: str
) -> None:
    with database(server, "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS ''") as made:
        made.run(*(f"ALTER FUNCTION f() {change}" for change in changes({}, {"search_path": given_value})))
        assert made.one("SELECT proconfig FROM pg_proc WHERE proname = 'f'") == [f"search_path={kept}"]
    assert normal({"Search_Path": given_value}) == {"search_path": kept}


@given(texts, texts)
def test_equal_settings_need_no_change(one: str, other: str) -> None:
    assert list(changes({"app.a": one}, {"APP.a": one})) == []
    found = list(changes({"app.a": one}, {"app.b": other}))
    assert [each.partition(" ")[0] for each in found] == ["RESET", "SET"]


@given(st.lists(texts, max_size=4))
def test_the_normal_form_of_a_list_is_its_own(names: list[str]) -> None:
    spelled = ", ".join('"' + name.replace('"', '""') + '"' for name in names)
    once = normal({"search_path": spelled})
    assert normal(once) == once
    assert not list(problems(once, "settings"))
