"""Whatever a text says, it is a name, a value or refused: never more than one statement (issue B, 5)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from kolumn.contract.errors import KolumnError
from tests.client import Client, wanted
from tests.targets import TARGETS, Sample, Settings, Target

CANARY = "canary"

HOSTILE = (
    f'x"; DROP TABLE {CANARY}; --',
    f"x'; DROP TABLE {CANARY}; --",
    f"x'); DROP TABLE {CANARY}; --",
    f"x\\'); DROP TABLE {CANARY}; --",
    f"1); DROP TABLE {CANARY}; --",
    f"$$; DROP TABLE {CANARY}; $$",
    f"$body$; DROP TABLE {CANARY}; --",
    f"x */ ; DROP TABLE {CANARY}; /*",
    f"`; DROP TABLE {CANARY}; --",
    f"]; DROP TABLE {CANARY}; --",
    f"x\n; DROP TABLE {CANARY};",
)

CASES = [
    pytest.param(target, sample, id=f"{name}-{sample.type}-{sample.name}")
    for name, target in TARGETS.items()
    for sample in target.samples
]


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where a text stands in a configuration."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from paths(inner, (*path, key))
    elif isinstance(value, list | tuple):
        for at, inner in enumerate(value):
            yield from paths(inner, (*path, at))
    elif isinstance(value, str):
        yield path


def replaced(config: Any, path: tuple[Any, ...], text: str) -> Any:
    changed = copy.deepcopy(config)
    held = changed
    for step in path[:-1]:
        held = held[step]
    held[path[-1]] = text
    return changed


@pytest.mark.parametrize(("target", "sample"), CASES)
def test_no_text_breaks_out_of_its_place(
    target: Target, sample: Sample, settings: Settings, connect: Callable[[Settings], Client]
) -> None:
    target.execute(settings, f"CREATE TABLE {CANARY} (id INTEGER)")
    client = connect(settings)
    if sample.needs:
        client.apply(*(wanted(each.type, each.name, each.config) for each in sample.needs))
    config = dict(sample.config)
    taken = 0
    for path in paths(config):
        for text in HOSTILE:
            resource = wanted(sample.type, sample.name, replaced(config, path, text))
            try:
                reply = client.call("Apply", {"resources": [resource]})
            except KolumnError as error:
                assert error.code != "internal_error", (path, text, error.message)
                continue
            if reply["success"]:
                taken += 1
                client.apply(wanted(sample.type, sample.name, {}, "delete"))
        tables = client.done("DiscoverResources", {"resource_type": "table"})["resources"]
        assert CANARY in {each["name"] for each in tables}, path
    if any(path == ("name",) for path in paths(config)):
        assert taken, "not even a name with quotes in it is taken"
