from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st
from psycopg import pq

from kolumn.providers.postgres.connection.passwords import is_salted, is_verifier, matches

# Text that can be a password: no NUL, which ends it, and no half of a surrogate pair.
passwords = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=12
)
names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=8)


def encrypted(password: str, role: str, algorithm: bytes) -> str:
    """Return what libpq makes of a password, with its own SASLprep."""
    connection = pq.PGconn.connect_start(b"host=/nowhere")
    try:
        return connection.encrypt_password(password.encode(), role.encode(), algorithm).decode()
    finally:
        connection.finish()


@given(passwords, names)
def test_the_password_is_told_from_any_other(password: str, role: str) -> None:
    kept = encrypted(password, role, b"scram-sha-256")
    assert matches(password, kept, role)
    assert not matches(password + "x", kept, role)
    assert is_verifier(kept)
    assert is_salted(kept)


@given(st.text(st.characters(categories=["Lo", "Mn", "Zs", "Cf", "Nd", "So"]), min_size=1, max_size=6))
def test_letters_of_every_script(password: str) -> None:
    assert matches(password, encrypted(password, "r", b"scram-sha-256"), "r")


@given(passwords, names)
def test_md5(password: str, role: str) -> None:
    kept = "md5" + hashlib.md5((password + role).encode()).hexdigest()
    assert encrypted(password, role, b"md5") == kept
    assert matches(password, kept, role)
    assert not matches(password, kept, role + "x")
    assert is_verifier(kept)
    assert not is_salted(kept)


def test_a_verifier_is_only_itself() -> None:
    kept = encrypted("a", "r", b"scram-sha-256")
    assert matches(kept, kept, "r")
    assert not matches(encrypted("a", "r", b"scram-sha-256"), kept, "r")


def test_nothing_matches_what_is_not_there_or_no_verifier() -> None:
    assert not matches("", "", "r")
    assert not matches("a", "", "r")
    assert not matches("a", "a", "r")
    assert not matches("a", "SCRAM-SHA-256$4096:!$" + "A" * 44 + ":" + "A" * 44, "r")
