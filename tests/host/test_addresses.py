from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kolumn.engine.resource import Ref
from kolumn.host.addresses import (
    address_of,
    bare_type,
    covers,
    moved,
    name_of,
    prefixed_type,
    without_index,
)

words = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)
keys = st.one_of(
    st.just(""),
    st.integers(0, 99).map(lambda number: f"[{number}]"),
    st.text("ab.[]é ", max_size=5).map(lambda text: f'["{text}"]'),
    st.just(r'["a\"].b"]'),
)
modules = st.lists(st.tuples(words, keys), max_size=2)


@given(modules, words, words, keys)
def test_type_and_name_make_the_address_and_the_address_gives_them_back(
    path: list[tuple[str, str]], type_: str, label: str, key: str
) -> None:
    prefix = "".join(f"module.{name}{key}." for name, key in path)
    name = f"{prefix}{label}{key}"
    address = f"{prefix}{type_}.{label}{key}"

    assert address_of(type_, name) == address
    assert name_of(address) == (type_, name)
    assert without_index(address) == f"{prefix}{type_}.{label}"


@given(words, st.text(min_size=1), st.text(), st.text())
def test_what_only_a_database_has_is_called_by_its_identity(
    type_: str, name: str, schema: str, parent: str
) -> None:
    identity = Ref(type_, name, schema, parent).identity
    assert name_of(address_of(type_, identity)) == (type_, identity)


def test_addresses_of_unmanaged_objects_read_well() -> None:
    assert address_of("sqlite_table", Ref("table", "z", "arch").identity) == "sqlite_table.arch.z"
    assert address_of("sqlite_table", Ref("table", "a.b").identity) == 'sqlite_table."a.b"'
    assert address_of("sqlite_table", Ref("table", "a.b", "arch").identity) == 'sqlite_table.arch."a.b"'
    assert name_of("users") == ("", "users")
    assert name_of('users["a.b"]') == ("", 'users["a.b"]')


def test_a_target_covers_its_instances_and_its_module() -> None:
    assert covers("sqlite_table.users", "sqlite_table.users")
    assert covers("sqlite_table.users", 'sqlite_table.users["eu"]')
    assert covers("module.shop", "module.shop.sqlite_table.users")
    assert covers("module.shop", 'module.shop["eu"].sqlite_table.users')
    assert not covers("sqlite_table.users", "sqlite_table.users2")
    assert not covers("module.shop", "module.shops.sqlite_table.users")
    assert not covers("sqlite_table.users[0]", "sqlite_table.users[1]")


def test_moving_a_block_moves_its_instances() -> None:
    assert moved("sqlite_table.a[1]", "sqlite_table.a", "sqlite_table.b") == "sqlite_table.b[1]"
    assert moved("module.a.sqlite_table.t", "module.a", "module.b") == "module.b.sqlite_table.t"
    assert moved("sqlite_table.ab", "sqlite_table.a", "sqlite_table.b") == "sqlite_table.ab"


def test_prefixes() -> None:
    assert bare_type("sqlite.replica", "sqlite_table") == "table"
    assert prefixed_type("sqlite.replica", "table") == "sqlite_table"
    assert prefixed_type("sqlite", "sqlite_table") == "sqlite_table"
