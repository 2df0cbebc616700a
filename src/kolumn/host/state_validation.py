"""Whether the state of a project is sound: what the host keeps around it, and what each provider says of its part.

The document is looked at as it is stored, before anything believes it. A repair is a list of edits; what repairs
leave is checked again, until there is nothing more to repair.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from kolumn.contract.errors import StateError, ValidationError
from kolumn.contract.messages import Severity, StateEdit, StateRepair, ValidateRequest, ValidationFinding
from kolumn.host import state as states
from kolumn.host.addresses import address_of, prefixed_type
from kolumn.host.backends import Entry
from kolumn.host.sealing import Veil, seal_paths, seal_texts
from kolumn.host.state import FORMAT, Intent, OutputRecord, ResourceRecord
from kolumn.host.state_edits import edited, key, rooted
from kolumn.host.workspace import Workspace
from kolumn.version import __version__

_ROUNDS = 6
"""How often what repairs left is checked again: one repair may bring to light what another fault hid."""
_SECTIONS: Mapping[str, type[Any]] = {"resources": ResourceRecord, "intents": Intent, "outputs": OutputRecord}


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault, and the resource it is about; `path` is one of the whole document."""

    address: str
    """Empty where it is about none."""
    about: ValidationFinding

    @property
    def is_fault(self) -> bool:
        """Whether it is more than a remark."""
        return self.about.severity != "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Validated:
    """What was found in the state of one serial."""

    serial: int
    findings: tuple[Finding, ...]

    @property
    def valid(self) -> bool:
        """Whether nothing was found but remarks."""
        return not any(each.is_fault for each in self.findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """What repairing did, or would do: the document it leaves, and what it cannot mend."""

    before: Validated
    repaired: tuple[Finding, ...]
    left: tuple[Finding, ...]
    document: Any

    @property
    def changes(self) -> bool:
        """Whether there is anything to write."""
        return bool(self.repaired)


def validate(workspace: Workspace) -> Validated:
    """Return what is wrong with the latest state. Raises StateError `no_state`, ConnectionError."""
    stored = _Stored.of(workspace)
    return Validated(serial=stored.entry.serial, findings=tuple(_findings(workspace, stored)))


def plan_repair(workspace: Workspace) -> Repair:
    """Return what repairs the latest state. Raises StateError `no_state`, ConnectionError."""
    stored = _Stored.of(workspace)
    found = tuple(_findings(workspace, stored))
    before = Validated(serial=stored.entry.serial, findings=found)
    repaired: list[Finding] = []
    document = stored.document
    for _ in range(_ROUNDS):
        mended = [each for each in found if each.about.repair is not None]
        if not mended:
            break
        repaired += mended
        document = edited(document, _sealed(workspace, mended))
        found = tuple(_findings(workspace, _Stored(stored.entry, document)))
    return Repair(before=before, repaired=tuple(repaired), left=found, document=document)


def carry_out(workspace: Workspace, repair: Repair) -> Entry:
    """Write what a repair leaves as the next serial; the state before stays in the history.

    The project must be locked. Raises StateError where the document is still none.
    """
    state = states.decode(msgspec.json.encode(repair.document))
    for raw in state.providers.values():
        states.instances(raw)
    return workspace.backend.write(
        states.encode(state),
        lineage=state.lineage,
        parent=repair.before.serial,
        reason="state repair",
        force=True,
    )


@dataclass(frozen=True, slots=True)
class _Stored:
    """The latest state as it is stored."""

    entry: Entry
    document: Any
    """None where it cannot be read at all."""
    fault: str = ""
    """Why it is not what was written."""

    @classmethod
    def of(cls, workspace: Workspace) -> _Stored:
        from kolumn.host.state_operations import no_state

        history = workspace.backend.history()
        if not history:
            raise no_state()
        fault, body = "", b""
        try:
            stored = workspace.backend.read()
            body = stored.body if stored is not None else b""
        except StateError as error:
            if error.code != "state_tampered":
                raise
            fault = str(error.details.get("fault", "")) or error.message
            try:
                stored = workspace.backend.read(trusting=True)
                body = stored.body if stored is not None else b""
            except StateError:
                return cls(history[0], None, fault)
        try:
            return cls(history[0], msgspec.json.decode(body), fault)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return cls(history[0], None, fault or str(error))


def _findings(workspace: Workspace, stored: _Stored) -> Iterator[Finding]:
    """Yield the faults of the host's layer, then of each provider's part, then of what binds them."""
    document = stored.document
    if stored.fault:
        words = f"serial {stored.entry.serial} is not what Kolumn wrote: {stored.fault}"
        repair = StateRepair(action="set", description="what is sound of it is written anew, with a checksum")
        yield _finding("state_tampered", words, "$", repair=repair if document is not None else None)
    if not isinstance(document, dict):
        yield _finding("invalid_document", "the state is no JSON object", "$", repair=_restored(workspace))
        return
    yield from _head(stored)
    providers = document.get("providers", {})
    if not isinstance(providers, dict) or not all(isinstance(each, dict) for each in providers.values()):
        repair = _restored(workspace) or _set("the state then manages nothing", "$.providers", {})
        yield _finding(
            "invalid_structure", "what providers manage cannot be read", "$.providers", repair=repair
        )
        return
    for section in _SECTIONS:
        yield from _section(document, section)
    owners = _owners(providers)
    yield from _records(document, owners)
    for address, part in providers.items():
        yield from _of_provider(workspace, address, part)


def _head(stored: _Stored) -> Iterator[Finding]:
    document, lineage = stored.document, stored.document.get("lineage")
    number = document.get("format", FORMAT)
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        yield _finding(
            "invalid_format",
            f"{number!r:.50} is no format",
            "$.format",
            repair=_set("it is set", "$.format", FORMAT),
        )
    elif number > FORMAT:
        words = f"format {number} is newer than {FORMAT}, which this Kolumn knows; upgrade Kolumn"
        yield _finding("unknown_format", words, "$.format")
    if not isinstance(document.get("kolumn", ""), str):
        repair = _set("it is set", "$.kolumn", __version__)
        yield _finding("invalid_structure", "the version of Kolumn is no text", "$.kolumn", repair=repair)
    if not isinstance(lineage, str) or lineage != stored.entry.lineage:
        words = f"the state says it is of history {lineage!r:.60}, its file says {stored.entry.lineage}"
        repair = _set("it becomes what the file says", "$.lineage", stored.entry.lineage)
        yield _finding("lineage_mismatch", words, "$.lineage", repair=repair)
    salt = document.get("salt")
    if not isinstance(salt, str) or not _is_key(salt):
        import secrets

        repair = _set("a new one; sensitive values then count as changed", "$.salt", secrets.token_hex(16))
        yield _finding(
            "invalid_salt", "the salt of sensitive values is no hexadecimal text", "$.salt", repair=repair
        )


def _section(document: Mapping[str, Any], section: str) -> Iterator[Finding]:
    """Yield the entries of a section that are none."""
    path, entries = f"$.{section}", document.get(section, {})
    if not isinstance(entries, dict):
        repair = _set("it is made anew", path, {})
        yield _finding("invalid_structure", f"{section} is no object", path, repair=repair)
        return
    for name, value in entries.items():
        try:
            msgspec.convert(value, _SECTIONS[section])
        except msgspec.ValidationError as error:
            place = path + key(name)
            repair = StateRepair(
                action="forget",
                description="it is removed",
                edits=(StateEdit(path=place, remove=True),),
            )
            address = "" if section == "outputs" else name
            words = f"this cannot be read: {error}"
            yield _finding("invalid_structure", words, place, address, repair=repair)


class _Owned(msgspec.Struct, frozen=True):
    """Where a managed resource is in the document."""

    provider: str
    path: str


def _owners(providers: Mapping[str, Any]) -> dict[str, list[_Owned]]:
    """Return where each address is, as far as the entries can be read."""
    owners: dict[str, list[_Owned]] = {}
    for provider, part in providers.items():
        entries = part.get("resources")
        for at, entry in enumerate(entries if isinstance(entries, list) else ()):
            match entry:
                case {"type": str(type_), "name": str(name)} if (
                    type_ and name and entry.get("status") != "deleted"
                ):
                    path = f"$.providers{key(provider)}.resources[{at}]"
                    owners.setdefault(address_of(prefixed_type(provider, type_), name), []).append(
                        _Owned(provider, path)
                    )
    return owners


def _records(document: Mapping[str, Any], owners: Mapping[str, list[_Owned]]) -> Iterator[Finding]:
    """Yield what does not fit together: records and resources, addresses, dependencies, intentions."""
    records, intents = document.get("resources", {}), document.get("intents", {})
    records = records if isinstance(records, dict) else {}
    intents = intents if isinstance(intents, dict) else {}
    for address, places in owners.items():
        record = records.get(address)
        said = record.get("provider") if isinstance(record, dict) else None
        mine = next((each for each in places if each.provider == said), places[0])
        for each in places:
            if each.provider != mine.provider:
                words = f"{address} is managed by {mine.provider} and by {each.provider}"
                repair = StateRepair(
                    action="drop_duplicate",
                    description=f"{mine.provider} keeps it",
                    edits=(StateEdit(path=each.path, remove=True),),
                )
                yield _finding("duplicate_address", words, each.path, address, repair=repair)
        path = f"$.resources{key(address)}"
        if record is None:
            words = "the state manages it without a record of its provider and its dependencies"
            repair = _set("one is made; the next apply completes it", path, {"provider": mine.provider})
            yield _finding("resource_without_record", words, path, address, severity="warning", repair=repair)
        elif said != mine.provider:
            words = f"its record says provider {said!r:.50}, it is managed by {mine.provider}"
            repair = _set(f"it becomes {mine.provider}", f"{path}.provider", mine.provider)
            yield _finding("wrong_provider", words, f"{path}.provider", address, repair=repair)
    for address, record in records.items():
        path = f"$.resources{key(address)}"
        if address not in owners and address not in intents:
            repair = StateRepair(
                action="forget",
                description="the record is removed",
                edits=(StateEdit(path=path, remove=True),),
            )
            words = "there is a record of it, but no provider manages it"
            yield _finding("record_without_resource", words, path, address, severity="warning", repair=repair)
            continue
        needed = record.get("depends_on") if isinstance(record, dict) else None
        if not isinstance(needed, list):
            continue
        gone = [
            each for each in needed if isinstance(each, str) and each not in owners and each not in intents
        ]
        if gone:
            kept = [each for each in needed if each not in gone]
            words = f"it depends on {', '.join(gone)}, which the state does not manage"
            repair = _set("the dependency is removed", f"{path}.depends_on", kept)
            yield _finding(
                "dangling_dependency", words, f"{path}.depends_on", address, severity="warning", repair=repair
            )
    for address in intents:
        if address not in owners:
            words = "an interrupted apply set out to create it; the next apply finishes or removes it"
            yield _finding("pending_resource", words, f"$.intents{key(address)}", address, severity="info")


def _of_provider(workspace: Workspace, provider: str, part: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what a provider says of its part of the state."""
    root = f"$.providers{key(provider)}"
    veil = Veil(workspace.configuration.project.secrets)
    try:
        response = workspace.fleet.get(provider).validate(ValidateRequest(state=part))
    except ValidationError as error:
        if error.code == "unsupported_function":
            words = f"provider {provider} cannot check its part of the state"
            yield _finding("unchecked", words, root, severity="info")
            return
        yield _finding("provider_unavailable", error.message, root)
        return
    for each in response.findings:
        repair = each.repair
        if repair is not None:
            edits = tuple(
                msgspec.structs.replace(edit, path=rooted(edit.path, root)) for edit in repair.edits
            )
            repair = msgspec.structs.replace(repair, edits=edits)
        yield Finding(
            address_of(prefixed_type(provider, each.resource_type), each.name) if each.name else "",
            msgspec.structs.replace(
                each, path=rooted(each.path, root), message=veil.text(each.message), repair=repair
            ),
        )


def _sealed(workspace: Workspace, mended: Iterable[Finding]) -> Iterator[StateEdit]:
    """Yield the edits of repairs without sensitive values: one that takes over what is live may meet some."""
    project, salt = workspace.configuration.project, _salt(workspace)
    secret = {each.address: each.sensitive for each in project.resources if each.sensitive}
    for finding in mended:
        for each in finding.about.repair.edits if finding.about.repair is not None else ():
            value = each.value
            if each.path != "$" and isinstance(value, dict | list):
                if isinstance(value, dict) and each.path.endswith(".config"):
                    value = seal_paths(value, secret.get(finding.address, ()), salt)
                value = seal_texts(value, project.secrets, salt)
            yield msgspec.structs.replace(each, value=value)


def _salt(workspace: Workspace) -> str:
    """Return the salt of the state as it is stored, a new one where that is none."""
    import secrets

    document = _Stored.of(workspace).document
    salt = document.get("salt") if isinstance(document, dict) else None
    return salt if isinstance(salt, str) and _is_key(salt) else secrets.token_hex(16)


def _is_key(salt: str) -> bool:
    try:
        return bool(bytes.fromhex(salt))
    except ValueError:
        return False


def _restored(workspace: Workspace) -> StateRepair | None:
    """Return the repair that goes back to the newest earlier state that is sound; None without one."""
    for entry in workspace.backend.history()[1:]:
        try:
            body = workspace.backend.read_serial(entry.serial).body
            state = states.decode(body)
            for raw in state.providers.values():
                states.instances(raw)
        except StateError:
            continue
        return StateRepair(
            action="restore",
            description=f"serial {entry.serial} of {entry.written_at} ({entry.reason}) becomes the latest again",
            edits=(StateEdit(path="$", value=msgspec.json.decode(body)),),
        )
    return None


def _set(description: str, path: str, value: Any) -> StateRepair:
    return StateRepair(action="set", description=description, edits=(StateEdit(path=path, value=value),))


def _finding(
    code: str,
    message: str,
    path: str,
    address: str = "",
    *,
    severity: Severity = "error",
    repair: StateRepair | None = None,
) -> Finding:
    return Finding(
        address,
        ValidationFinding(code=code, message=message, path=path, severity=severity, repair=repair),
    )
