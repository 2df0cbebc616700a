"""One database is made to look like another, given only what an import of that other one says."""

from __future__ import annotations

import contextlib
import difflib
from typing import Any

from tests.providers.postgres.databases import database, imported
from tests.providers.postgres.databases import statements as script
from tests.servers import postgres


def evolve(server: postgres.Server, before: str, after: str, look: str = "", **settings: object) -> Any:
    """Load `before` and `after` into a database each and lead the first to the second; return the plan.

    Both dumps are then equal, owners, grants and comments included, and a second plan has nothing to do.
    `look` is a query whose rows are then in the plan as `rows`, `settings` are those of what makes the change.
    """
    with contextlib.ExitStack() as stack:
        one, other = (stack.enter_context(database(server, script)) for script in (before, after))
        with other.kolumn() as client:
            resources = imported(client)
        with one.kolumn(**settings) as client:
            plan = client.plan(*resources, detail=True, prune=True)
            answer = client.call("Apply", {"resources": resources, "options": {"prune": True}})
            assert answer["success"], "\n".join([answer["error"], "", *script(plan)])
            again = client.plan(*resources, detail=True, prune=True)
            assert not again.get("steps"), script(again)
        have, want = one.dump(), other.dump()
        assert have == want, "\n".join(
            difflib.unified_diff(have.split("\n"), want.split("\n"), lineterm="", n=1)
        )
        return {**plan, "rows": one.rows(look)} if look else plan


def both_ways(server: postgres.Server, before: str, after: str, **settings: object) -> tuple[Any, Any]:
    """Lead from `before` to `after` and back; return both plans."""
    return evolve(server, before, after, **settings), evolve(server, after, before, **settings)


def words(plan: Any) -> list[str]:
    """Return what a plan does, in words."""
    return [step["description"] for step in plan.get("steps", ())]


def risks(plan: Any) -> set[str]:
    """Return the kinds of risks of a plan."""
    return {risk["kind"] for step in plan.get("steps", ()) for risk in step.get("risks", ())}
