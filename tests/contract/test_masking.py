"""What looks like a secret is masked; what only talks about one is left readable."""

import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kolumn.contract import masking
from kolumn.contract.masking import REDACTED, is_secret_name, mask, mask_data, register_secret

PASSWORDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=20).filter(
    lambda text: not text.startswith(("[", "{", "'", '"'))
)


@pytest.mark.parametrize(
    "text",
    [
        "postgres://alice:HUNTER2@db/shop",
        "postgres://alice:p@ss/HUNTER2@db/shop",
        "postgres://alice:p'HUNTER2@db/shop",
        "redis://:HUNTER2@cache:6379",
        "https://HUNTER2@github.com/x",
        "host=db password=HUNTER2 user=alice",
        "password=abc,HUNTER2&x",
        "Server=db;PWD={a;HUNTER2};",
        'password = "a \\" HUNTER2" more',
        "password='it''s HUNTER2' more",
        "password='unterminated HUNTER2",
        "{'db_password': 'a HUNTER2', 'port': 5}",
        '{"apiKey":"HUNTER2","port":5}',
        "password: HUNTER2",
        "PGPASSWORD=HUNTER2 psql",
        "AWS_SECRET_ACCESS_KEY=HUNTER2",
        "secret_key => HUNTER2",
        "ALTER ROLE alice PASSWORD 'a HUNTER2' LOGIN",
        "CREATE USER alice IDENTIFIED BY 'a HUNTER2'",
        "SET PASSWORD FOR alice = PASSWORD('HUNTER2')",
        "Authorization: Basic HUNTER2==",
        "sent bearer HUNTER2.abcdef",
        "key sk-HUNTER2 expired",
        "ghp_HUNTER2HUNTER2HUNTER2",
        "eyJhbGciOiJI.eyJzdWIiOiIx.HUNTER2",
        "-----BEGIN RSA PRIVATE KEY-----\nHUNTER2\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nHUNTER2 cut off",
    ],
)
def test_secrets_are_masked(text: str) -> None:
    assert "HUNTER2" not in mask(text)
    assert REDACTED in mask(text)


@pytest.mark.parametrize(
    "text",
    [
        'near "secret": syntax error',
        'unrecognized token: "@"',
        "no such column: password",
        "password: required field is missing",
        "config.password: the environment variable X is not set.",
        "table users has no column token",
        "see https://example.com:8080/a?b=c",
        "postgres://alice@db/shop",
        "a basic functionality",
        "passes = 3",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert mask(text) == text


@given(
    PASSWORDS, st.sampled_from(["x://u:{}@h/d", "a password={} b", "pwd: {}", "token=>{}", '"api_key": {}'])
)
@example("p@ss:w/rd", "x://u:{}@h/d")
def test_no_password_survives(password: str, template: str) -> None:
    assert password not in mask(template.format(password)).replace(REDACTED, "")


@given(st.text() | st.text("password=:'\"@/ \\{}sk-token[]REDACTD", max_size=80))
def test_masking_twice_changes_nothing(text: str) -> None:
    once = mask(text)
    assert mask(once) == once


@pytest.mark.parametrize(
    "part",
    [
        "a",
        "://a:",
        "token={ ",
        "password='",
        "eyJ",
        "password",
        "a.b-",
        "identified with ",
        "'",
        "\\",
        "secret:",
    ],
)
def test_no_text_makes_masking_slow(part: str) -> None:
    start = time.perf_counter()
    mask(part * (100_000 // len(part)))
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize(
    "name",
    ["password", "Password", "db_password", "PGPASSWORD", "passwd", "pwd", "token", "auth_token", "apiKey",
     "api_key", "secret", "client-secret", "secretAccessKey", "private_key", "dsn", "credentials",
     "connection_string"],
)  # fmt: skip
def test_secret_names(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    ["primary_key", "foreign_key", "name", "tokens_used", "passed", "compass", "keys", "key", "secretary"],
)
def test_other_names(name: str) -> None:
    assert not is_secret_name(name)


def test_data_is_masked_at_every_depth() -> None:
    data = {"a": ({"token": 5, "n": 5, "empty": None, "password": ""}, "x://u:HUNTER2@h"), "pwd": ["HUNTER2"]}
    assert mask_data(data) == {
        "a": [{"token": REDACTED, "n": 5, "empty": None, "password": ""}, f"x://u:{REDACTED}@h"],
        "pwd": REDACTED,
    }
    loop: dict[str, object] = {"password": "HUNTER2"}
    loop["again"] = loop
    assert "HUNTER2" not in str(mask_data(loop))


def test_registered_texts_are_masked_the_longest_first() -> None:
    register_secret("quartz-falcon")
    register_secret("quartz-falcon-9")
    register_secret("abc")
    assert mask("x quartz-falcon-9, quartz-falcon; abc") == f"x {REDACTED}, {REDACTED}; abc"


def test_registered_texts_are_bounded() -> None:
    register_secret("oldest-of-them-all")
    for number in range(1100):
        register_secret(f"newer-secret-{number:04}")
    assert mask("oldest-of-them-all") == "oldest-of-them-all"
    assert mask("newer-secret-1099 newer-secret-0100") == f"{REDACTED} {REDACTED}"


@pytest.mark.parametrize("pattern", [masking._KEY_VALUE, masking._SQL_PASSWORD, masking._TOKEN])
@given(data=st.data())
def test_what_a_pattern_matches_is_never_passed_over(pattern: re.Pattern[str], data: st.DataObject) -> None:
    text = data.draw(st.from_regex(pattern))
    assert masking._may_hold_secret(text)
