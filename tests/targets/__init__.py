"""The databases the conformance suite runs against. A new provider is one entry of `TARGETS`.

A target says how to get a database that is fresh and empty, what to put into it, and who can look at it
without Kolumn. `KOLUMN_TEST_<PROVIDER>_URL` replaces the server a target would use by one that exists; a
target that cannot run says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tests.targets import mysql, postgres
from tests.targets.duckdb import DUCKDB
from tests.targets.sqlite import SQLITE
from tests.targets.target import PLANTED, Failing, Sample, Settings, Target

TARGETS: Mapping[str, Target] = {"duckdb": DUCKDB, "sqlite": SQLITE, **postgres.TARGETS, **mysql.TARGETS}
"""Every target by its name: the provider's, with a version where there are several of one provider."""

RUNS: Mapping[str, Target] = {
    **TARGETS,
    **{
        f"{name}-rpc": replace(target, remote=True)
        for name, target in TARGETS.items()
        if name == target.provider
    },
}
"""The targets, and each provider once more in a process of its own; with servers of several versions, the newest, and of
several products one."""

__all__ = ["PLANTED", "RUNS", "TARGETS", "Failing", "Sample", "Settings", "Target"]
