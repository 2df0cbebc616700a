"""Whatever a text says, it is a name, a value or refused: never more than one statement (issue B, 5)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from kolumn.contract.errors import KolumnError
from tests.client import Client, wanted
from tests.command import ONLY_IN_SOAK
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


def places(sample: Sample) -> Iterator[tuple[Mapping[str, Any], tuple[Any, ...]]]:
    """Yield every place of a text in the configurations of a sample, with a configuration that has it."""
    seen = set()
    for config in (sample.config, sample.changed):
        for path in paths(config):
            if path not in seen:
                seen.add(path)
                yield config, path


def chosen(target: Target, at: int, *, every: bool) -> tuple[str, ...]:
    """Return the texts for the place of that number: all, or as many as the target has time for, in turn."""
    if every or target.hostile is None:
        return HOSTILE
    return tuple(HOSTILE[(at * target.hostile + each) % len(HOSTILE)] for each in range(target.hostile))


@pytest.mark.parametrize("every", [False, pytest.param(True, marks=(pytest.mark.soak, ONLY_IN_SOAK))])
@pytest.mark.parametrize(("target", "sample"), CASES)
def test_no_text_breaks_out_of_its_place(
    target: Target, sample: Sample, every: bool, settings: Settings, connect: Callable[[Settings], Client]
) -> None:
    target.execute(settings, f"CREATE TABLE {CANARY} (id INTEGER)")
    client = connect(settings)
    if sample.needs:
        client.apply(*(wanted(each.type, each.name, each.config) for each in sample.needs))
    named = 0
    for at, (config, path) in enumerate(places(sample)):
        for text in chosen(target, at, every=every):
            resource = wanted(sample.type, sample.name, replaced(config, path, text))
            try:
                reply = client.call("Apply", {"resources": [resource]})
            except KolumnError as error:
                assert error.code != "internal_error", (path, text, error.message)
                continue
            if reply["success"]:
                named += path == ("name",)
                client.apply(wanted(sample.type, sample.name, {}, "delete"))
        target.execute(settings, f"SELECT id FROM {CANARY}")  # fails where it is gone
    if "name" in sample.config and sample.quotable:
        assert named, "not even a name with quotes in it is taken"
