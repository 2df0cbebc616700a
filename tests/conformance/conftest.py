"""One provider after the other, each on a database of its own that is fresh and empty."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.client import Client
from tests.command import SOAK
from tests.targets import RUNS, TARGETS, Settings, Target

TRANSPORTED = {
    "duckdb": {"test_plan_apply"},
    "mysql": {"test_plan_apply"},
    "postgres": {"test_limits", "test_plan_apply", "test_secrecy", "test_transactions"},
}
"""What a provider is asked over RPC as well. SQLite's is asked everything; everything of all takes a soak run."""

ABOUT_THE_CONTRACT = {
    "test_hostile_texts",
    "test_limits",
    "test_methods",
    "test_schema",
    "test_secrecy",
    "test_state",
    "test_state_validation",
}
"""What a further server of one provider, an older one or another product, is asked in a soak run only."""

FURTHER = tuple(sorted(name for name, target in TARGETS.items() if name != target.provider))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def is_wanted(item: pytest.Item) -> bool:
        name, remote, _ = item.name.partition("[")[2].partition("-rpc")
        module = item.path.stem
        if SOAK:
            return True
        if remote:
            return module in TRANSPORTED.get(name, {module})
        return module not in ABOUT_THE_CONTRACT or not name.startswith(FURTHER)

    items[:] = [item for item in items if item.path.parent != Path(__file__).parent or is_wanted(item)]


@pytest.fixture(params=sorted(RUNS))
def target(request: pytest.FixtureRequest) -> Target:
    found: Target = RUNS[request.param]
    if reason := found.skip():
        pytest.skip(f"{found.provider}: {reason} ({found.variable} names another server)")
    return found


@pytest.fixture
def settings(target: Target, tmp_path: Path) -> Iterator[Settings]:
    with target.fresh(tmp_path / "database") as found:
        yield found


@pytest.fixture
def connect(target: Target) -> Iterator[Callable[[Settings], Client]]:
    """Return a function that gives one more configured provider."""
    opened: list[Client] = []

    def open_one(settings: Settings) -> Client:
        opened.append(Client(target.open()))
        return opened[-1].configure(settings)

    yield open_one
    for client in opened:
        client.provider.close()


@pytest.fixture
def client(settings: Settings, connect: Callable[[Settings], Client]) -> Client:
    return connect(settings)
