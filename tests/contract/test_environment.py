"""`${NAME}` in provider configuration (spec 11.2)."""

import pytest
from hypothesis import given

from kolumn.contract.environment import resolve_environment
from kolumn.contract.errors import ValidationError
from tests.contract.shapes import JSON


def test_whole_values_are_replaced_at_every_depth() -> None:
    config = {
        "password": "${DB_PASSWORD}",
        "port": 5432,
        "options": {"hosts": ["${HOST}", "b", {"c": "${HOST}"}]},
        "mixed": "x${HOST}",
        "template": "${HOST}${HOST}",
        "empty": "${EMPTY}",
    }
    assert resolve_environment(config, {"DB_PASSWORD": "${HOST}", "HOST": "db", "EMPTY": ""}) == {
        "password": "${HOST}",
        "port": 5432,
        "options": {"hosts": ["db", "b", {"c": "db"}]},
        "mixed": "x${HOST}",
        "template": "${HOST}${HOST}",
        "empty": "",
    }


def test_defaults() -> None:
    config = {"a": "${A:-5432}", "b": "${B:-x}", "c": "${C:-}", "d": "${D:-a:-b}"}
    assert resolve_environment(config, {"B": "", "A": "1"}) == {"a": "1", "b": "x", "c": "", "d": "a:-b"}


def test_every_unset_variable_is_named() -> None:
    with pytest.raises(ValidationError) as caught:
        resolve_environment(
            {"password": "${NOPE}", "a": [{"b": "${ALSO_NOT}"}], "c": "${9 x}", "d": "${}"}, {}
        )
    assert {problem.path: problem.code for problem in caught.value.problems} == {
        "password": "unset_environment_variable",
        "a[0].b": "unset_environment_variable",
        "c": "invalid_environment_reference",
        "d": "invalid_environment_reference",
    }
    assert "NOPE" in str(caught.value)
    assert "ALSO_NOT" in str(caught.value)


def test_the_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOLUMN_TEST_VALUE", "here")
    assert resolve_environment({"a": "${KOLUMN_TEST_VALUE}"}) == {"a": "here"}


@given(JSON)
def test_what_holds_no_reference_is_untouched(value: object) -> None:
    if "${" not in str(value):
        assert resolve_environment({"a": value}, {}) == {"a": value}
