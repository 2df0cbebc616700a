"""Audit trails as text and as JSON."""

from __future__ import annotations

from typing import Any

import msgspec

from kolumn.cli.render.documents import plain
from kolumn.cli.render.style import Style
from kolumn.contract import messages as m
from kolumn.contract.codec import encode
from kolumn.host.auditing import Noted, Verification

_COLOURS = {"failed": "delete", "undone": "update", "started": "dim", "partial": "dim"}


def entries_text(entries: tuple[Noted, ...], style: Style, *, sql: bool) -> str:
    """Return entries, one line each, with their errors and, where asked for, their statements below."""
    lines = []
    who = [_who(each.entry) for each in entries]
    width = max(map(len, who), default=0)
    for each, name in zip(entries, who, strict=True):
        entry = each.entry
        what = f"{entry.action} {each.address}" if each.address else f"{entry.action} ({each.provider})"
        outcome = style.paint(_COLOURS.get(entry.outcome, ""), f"{entry.outcome:9}")
        took = f"  {entry.duration / 1e6:.1f} ms" if entry.duration else ""
        lines.append(f"{entry.time:%Y-%m-%d %H:%M:%S}Z  {name:{width}}  {outcome}  {what}{style.dim(took)}")
        if entry.error:
            lines += [f"    {style.error(line)}" for line in entry.error.splitlines()]
        if sql:
            lines += [f"    {line}" for text in entry.statements for line in f"{text};".splitlines()]
    return "\n".join(lines)


def entry_document(noted: Noted) -> dict[str, Any]:
    """Return one entry."""
    entry: dict[str, Any] = msgspec.json.decode(encode(noted.entry))
    return {"provider": noted.provider, "address": noted.address or None, **entry}


def verification_text(verification: Verification, style: Style) -> str:
    """Return what was found, database by database."""
    lines = []
    for each in verification.results:
        result = each.result
        if not result.kept and result.intact:
            lines.append(f"{each.provider}: there is no audit trail.")
        elif result.intact:
            lines.append(
                f"{each.provider}: {result.entries} entries, intact. The last one's hash: {result.head}"
            )
        else:
            lines.append(style.error(f"{each.provider}: the audit trail was tampered with."))
            lines += [f"  {fault.message}" for fault in result.faults]
    lines += [f"{provider}: keeps no audit trail." for provider in verification.without]
    return "\n".join(lines) or "There is no provider to ask."


def verification_document(verification: Verification) -> dict[str, Any]:
    """Return what was found."""
    return {
        "intact": verification.intact,
        "providers": [
            {
                "provider": each.provider,
                "intact": each.result.intact,
                "kept": each.result.kept,
                "entries": each.result.entries,
                "head": each.result.head or None,
                "faults": [plain(fault) for fault in each.result.faults],
            }
            for each in verification.results
        ],
    }


def _who(entry: m.AuditEntry) -> str:
    system = f"{entry.os_user}@{entry.host}"
    return system if entry.actor == entry.os_user else f"{entry.actor} ({system})"
