"""Writes the list of built-in policies in docs/policies.md from the policies themselves.

`python -m tools.policy_reference` rewrites what stands between the two marker comments; tests/docs checks
that nothing is out of date.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from kolumn.host.policies.in_force import rules_by_name
from kolumn.host.policies.rule import GROUPS, Rule

BEGIN = "<!-- begin: written by tools/policy_reference.py -->"
END = "<!-- end: written by tools/policy_reference.py -->"
DOCUMENT = Path("docs/policies.md")


def reference() -> str:
    """Return all built-in policies as Markdown."""
    rules = list(rules_by_name().values())
    lines = ["| policy | severity | finds |", "|---|---|---|"]
    lines += [f"| [{each.name}](#{each.name}) | {_severity(each)} | {each.title} |" for each in rules]
    for group in GROUPS:
        lines += ["", f"### {group}"]
        for each in rules:
            if each.group == group:
                lines += ["", *_section(each)]
    return "\n".join(lines)


def _severity(rule: Rule) -> str:
    return rule.severity if rule.enabled else f"off ({rule.severity})"


def _section(rule: Rule) -> Iterator[str]:
    yield f"#### {rule.name}"
    yield ""
    about = [f"only {', '.join(sorted(rule.providers))}"] if rule.providers else []
    yield f"{rule.title} ({'; '.join([_severity(rule), *about])})."
    yield ""
    yield f"- Why: {rule.why}"
    yield f"- Instead: {rule.instead}"
    for name, parameter in rule.parameters.items():
        yield f"- `{name}` (default `{json.dumps(parameter.default)}`): {parameter.description}"


def with_reference(document: str) -> str:
    """Return `document` with the list between the markers. Raises ValueError without the markers."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("the document lacks the marker comments")
    return f"{before}{BEGIN}\n\n{reference()}\n\n{END}{after}"


def main(root: Path) -> int:
    """Rewrite the document, and say so when it changed."""
    path = root / DOCUMENT
    document = path.read_text(encoding="utf-8")
    written = with_reference(document)
    if written != document:
        path.write_text(written, encoding="utf-8")
        sys.stdout.write(f"{DOCUMENT}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(__file__).parent.parent))
