"""PROVIDER_STATUS.md says what the providers say."""

from __future__ import annotations

import pytest
from tools.provider_status import FILE, document, status

from kolumn.host.providers import names
from tests.targets import TARGETS


def test_the_file_is_up_to_date() -> None:
    for name in names():
        if name in TARGETS and (reason := TARGETS[name].skip()):
            pytest.skip(f"{name} cannot be asked here: {reason}")
    assert FILE.read_text() == document(), "run `make docs`"


def test_it_agrees_with_the_conformance_suite() -> None:
    for target in TARGETS.values():
        found = status(target.provider)
        assert set(found.missing) == target.missing
        assert target.refused <= set(found.refused)
        assert not target.missing_types & set(found.types)
