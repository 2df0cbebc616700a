from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from kolumn.host.sealing import HIDDEN, Veil, is_sealed, seal, seal_paths, seal_texts, shown

SALT = "00112233445566778899aabbccddeeff"
SECRET = "hunter2-and-more"

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


def test_equal_values_have_equal_seals_under_one_salt_only() -> None:
    assert seal(SECRET, SALT) == seal(SECRET, SALT)
    assert seal(SECRET, SALT) != seal(SECRET + "!", SALT)
    assert seal(SECRET, SALT) != seal(SECRET, SALT[::-1])
    assert SECRET not in str(seal(SECRET, SALT))


def test_paths_reach_into_blocks_lists_and_maps() -> None:
    config = {
        "name": "users",
        "columns": [{"name": "id", "default": "a"}, {"name": "key", "default": SECRET}],
        "options": {"password": SECRET},
    }
    sealed = seal_paths(config, ["columns.key.default", "options.password", "nowhere.at.all"], SALT)

    assert SECRET not in msgspec.json.encode(sealed).decode()
    assert sealed["columns"][0] == {"name": "id", "default": "a"}
    assert is_sealed(sealed["columns"][1]["default"])
    assert shown(sealed)["options"] == {"password": HIDDEN}
    assert seal_paths(sealed, ["options.password"], SALT) == sealed
    assert config["options"] == {"password": SECRET}


@given(json_values)
def test_no_secret_survives_sealing_or_veiling(value: Any) -> None:
    planted = {"here": [SECRET, value, {"deep": f"x {SECRET} y"}]}
    assert SECRET not in msgspec.json.encode(seal_texts(planted, [SECRET], SALT)).decode()
    assert SECRET not in msgspec.json.encode(Veil([SECRET]).value(planted)).decode()


@given(json_values)
def test_what_holds_no_secret_is_left_alone(value: Any) -> None:
    assert seal_texts(value, [SECRET], SALT) == value
    assert Veil([SECRET]).value(value) == value


def test_a_short_secret_does_not_riddle_other_texts() -> None:
    veil = Veil(["ab"])
    assert veil.text("ab") == HIDDEN
    assert veil.text("a table about abbots") == "a table about abbots"
