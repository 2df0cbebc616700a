"""`kolumn conformance`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kolumn.cli import options
from kolumn.cli.boundary import FAILED
from kolumn.cli.console import Console
from kolumn.contract.errors import ValidationError

if TYPE_CHECKING:
    from kolumn.contract.provider import Provider
    from kolumn.host.conformance.examination import Report

_MARKS = {"met": "✓", "failed": "✗", "open": "-"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `conformance`."""
    parser.description = (
        "Check a provider against the specification's checklist (section 15), from outside: a tick or a reason "
        "per line.\n"
        "With settings it is asked about a database, which must be one that may be changed; with resources "
        "these are made in it and deleted again."
    )
    parser.epilog = (
        "marks: ✓ met, ✗ not met, - does not apply or cannot be seen from outside\n"
        "exit codes: 0 no line failed, 1 a line failed\n\n"
        "examples:\n"
        "  kolumn conformance ./kolumn-provider-csv --set folder=/tmp/tables\n"
        "  kolumn conformance sqlite --settings settings.json --resources resources.json\n"
    )
    parser.add_argument("provider", metavar="PROVIDER", help="an executable, or the name of a provider")
    parser.add_argument("--settings", type=Path, metavar="FILE", help="what Configure gets: a JSON object")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="one setting; repeatable"
    )
    parser.add_argument(
        "--resources",
        type=Path,
        metavar="FILE",
        help="what to try: a JSON array of {resource_type, name, config}",
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Examine the provider and print the checklist."""
    from kolumn.host.conformance.examination import Material, examine

    settings = _settings(arguments)
    resources: Any = _read(arguments.resources) if arguments.resources else []
    if not isinstance(resources, list) or not all(isinstance(each, dict) for each in resources):
        raise ValidationError(
            f"{arguments.resources} must hold a JSON array of objects.", code="invalid_file"
        )
    with options.supplied(arguments) as supply:
        if "/" in arguments.provider or Path(arguments.provider).is_file():
            provider: Provider = _executable(arguments.provider)
        else:
            provider = supply.provider(arguments.provider)
        report = examine(provider, Material(settings=settings, resources=resources))
    if console.json:
        console.document(_document(report))
    else:
        console.print(_text(report, console))
    return 0 if report.passed else FAILED


def _executable(path: str) -> Provider:
    import os

    from kolumn.host.discovery import Found
    from kolumn.host.supply import remote

    place = Path(path).absolute()
    return remote(Found(place.name.removeprefix("kolumn-provider-"), "given", str(place)), os.environ)


def _settings(arguments: argparse.Namespace) -> dict[str, Any] | None:
    if arguments.settings is None and not arguments.set:
        return None
    found = _read(arguments.settings) if arguments.settings else {}
    if not isinstance(found, dict):
        raise ValidationError(f"{arguments.settings} must hold a JSON object.", code="invalid_file")
    for text in arguments.set:
        name, equals, value = text.partition("=")
        if not equals:
            raise ValidationError("--set wants NAME=VALUE.", code="bad_argument")
        found[name] = value
    return found


def _read(path: Path) -> Any:
    import msgspec

    try:
        return msgspec.json.decode(path.read_bytes())
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValidationError(f"{path} cannot be read: {error}.", code="invalid_file") from None


def _text(report: Report, console: Console) -> str:
    written, section = [], ""
    for line, verdict in report.found:
        if line.section != section:
            section = line.section
            written += ["", console.style.bold(section)]
        reason = f": {verdict.reason}" if verdict.reason else ""
        written.append(f"  {_MARKS[verdict.outcome]} {line.text}{reason}")
    counts = [sum(verdict.outcome == each for _, verdict in report.found) for each in _MARKS]
    written += ["", f"{counts[0]} met, {counts[1]} not met, {counts[2]} not applicable or not visible."]
    return "\n".join(written[1:])


def _document(report: Report) -> dict[str, Any]:
    return {
        "provider": report.schema.name if report.schema else None,
        "version": report.schema.version if report.schema else None,
        "passed": report.passed,
        "checklist": [
            {
                "section": line.section,
                "text": line.text,
                "outcome": verdict.outcome,
                "reason": verdict.reason or None,
            }
            for line, verdict in report.found
        ],
    }
