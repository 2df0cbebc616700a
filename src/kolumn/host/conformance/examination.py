"""Asks a provider, through the four methods alone, and finds out line by line what it keeps.

Without settings only what needs no database is found out. With them the database must be one that may be
changed; with `resources` as well (entries of a Plan request, none of which is there yet) they are planned,
applied, read, found and deleted again.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import msgspec

from kolumn.contract.context import Context
from kolumn.contract.errors import ConnectionError, KolumnError, ValidationError
from kolumn.contract.functions import FUNCTIONS, Category, Requirement, Tier
from kolumn.contract.logs import subscribe
from kolumn.contract.provider import Provider
from kolumn.contract.schema import ProviderSchema
from kolumn.host.conformance.checklist import (
    INSIDE,
    STREAM_TYPES,
    Line,
    Verdict,
    failed,
    left_open,
    lines,
    met,
)

_PATIENCE: Final = 60.0
_NO_PROVIDER: Final = (
    *("not_a_provider", "provider_not_executable", "provider_not_started", "provider_start_timeout"),
    "protocol_mismatch",
)
"""Codes of errors that say that there is nothing to examine."""
_UNKNOWN: Final = "KolumnConformanceNonsense"
_HOSTILE: Final = 'x\'; DROP TABLE "there"; --'
_NO_SETTINGS: Final = "needs a database (--settings)"
_NO_RESOURCES: Final = "needs resources to try (--resources)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What an examination has to work with."""

    settings: Mapping[str, Any] | None = field(default=None, repr=False)
    resources: Sequence[Mapping[str, Any]] = ()
    evidence: Mapping[str, Verdict] = field(default_factory=dict)
    """What is known otherwise about lines that cannot be seen from outside."""


@dataclass(frozen=True, slots=True)
class Report:
    """Every line of the checklist with its verdict."""

    schema: ProviderSchema | None
    found: tuple[tuple[Line, Verdict], ...]

    @property
    def passed(self) -> bool:
        """Whether no line failed."""
        return all(verdict.outcome != "failed" for _, verdict in self.found)


def examine(provider: Provider, material: Material) -> Report:
    """Examine a provider that is not configured yet; it is closed afterwards.

    Raises KolumnError when there is nothing that answers.
    """
    examination = _Examination(provider, material)
    try:
        examination.run()
    finally:
        provider.close()
    verdicts = examination.verdicts
    unseen = {**dict.fromkeys((line.key for line in lines()), left_open(INSIDE)), **material.evidence}
    return Report(
        examination.schema, tuple((line, verdicts.get(line.key, unseen[line.key])) for line in lines())
    )


class _Examination:
    def __init__(self, provider: Provider, material: Material) -> None:
        self.provider = provider
        self.schema: ProviderSchema | None = None
        self.verdicts: dict[str, Verdict] = {}
        self._material = material
        self._secret = secrets.token_urlsafe(18)
        self._told: list[str] = []
        """Texts that came out of the provider."""
        self._logged: list[str] = []

    def run(self) -> None:
        """Find out everything, in an order in which one thing does not stand in the way of the next."""
        end = subscribe(lambda *record: self._logged.append(repr(record)), "debug")
        try:
            self._examine_schema()
            self._examine_configure()
            self._examine_functions()
            self._examine_tree()
            self._examine_parity()
            self._examine_hostile()
            self._examine_close()
        finally:
            end()
        self._examine_secrecy()

    def _examine_schema(self) -> None:
        def check() -> Verdict:
            self.schema = schema = self.provider.schema()
            if schema.category not in set(Category):
                return failed(f"its category {schema.category!r} is none of {', '.join(Category)}")
            if not (schema.name and schema.version and schema.resource_types):
                return failed("it names no provider, no version or no resource type")
            return met()

        self._note("schema", check)
        types = {each.name for each in self.schema.resource_types} if self.schema else set()
        for name in STREAM_TYPES:
            self.verdicts[name] = met() if name in types else failed("no such resource type")

    def _examine_configure(self) -> None:
        planted = {**(self._material.settings or {}), "conformance_password": self._secret}
        try:
            self.provider.configure(self._context(), planted)
        except KolumnError as error:
            self._told.append(_text(error))
        settings = self._material.settings
        if settings is None:
            self.verdicts["configure"] = left_open(_NO_SETTINGS)
            return

        def check() -> Verdict:
            self.provider.configure(self._context(), settings)
            return met()

        self._note("configure", check)

    @property
    def _configured(self) -> bool:
        return self.verdicts["configure"].outcome == "met"

    def _examine_functions(self) -> None:
        self._note("call_function", self._refuses_unknown)
        category = self._category()
        for name, function in FUNCTIONS.items():
            if function.tier is not Tier.EXTENSION:
                self._note(name, partial(self._routed, name, category))
        if self._configured:
            for name in ("Ping", "Version", "GetState"):
                self._note(name, partial(self._succeeds, name, {}))
            self._note("SetState", self._takes_its_state)
            self._note(
                "DiscoverResources", lambda: self._succeeds("DiscoverResources", {"resource_type": ""})
            )
            self._examine_transactions()

    def _refuses_unknown(self) -> Verdict:
        try:
            self._call(_UNKNOWN, {})
        except ValidationError as error:
            if error.code == "unsupported_function" and error.message.startswith("unsupported function"):
                return met()
            return failed(f"an unknown function is refused with {error.code!r}, not `unsupported_function`")
        return failed("an unknown function is not refused")

    def _routed(self, name: str, category: Category | None) -> Verdict:
        requirement = FUNCTIONS[name].required[category] if category else Requirement.REQUIRED
        try:
            self._call(name, {})
        except KolumnError as error:
            if error.code == "unsupported_function":
                if requirement is Requirement.REQUIRED:
                    return failed("not offered")
                words = "not required" if requirement is Requirement.NOT_REQUIRED else "required if supported"
                return left_open(f"not offered; {words} of a {category} database")
            if (
                error.code in ("internal_error", "provider_crashed")
                or "not implemented" in error.message.lower()
            ):
                return failed(error.message)
        return met()

    def _succeeds(self, name: str, request: Mapping[str, Any]) -> Verdict:
        answer = self._call(name, request)
        return met() if answer.get("success") else failed(f"success is false: {answer.get('error', '')}")

    def _takes_its_state(self) -> Verdict:
        state = self._call("GetState", {}).get("state")
        return met() if state is None else self._succeeds("SetState", {"state": state})

    def _examine_transactions(self) -> None:
        if self.verdicts["BeginTransaction"].outcome != "met":
            return

        def check(end: str) -> Callable[[], Verdict]:
            def through() -> Verdict:
                begun = self._call("BeginTransaction", {})
                if not begun.get("success") or not begun.get("transaction_id"):
                    return failed("BeginTransaction gives no transaction_id")
                return self._succeeds(end, {"transaction_id": begun["transaction_id"]})

            return through

        for end in ("CommitTransaction", "RollbackTransaction"):
            self._note(end, check(end))

    def _examine_tree(self) -> None:
        keys = ("execution_order", "dependencies", "apply_order", "same_framework")
        if not self._configured:
            self.verdicts |= dict.fromkeys(keys, left_open(_NO_SETTINGS))
            return

        def ordered() -> Verdict:
            plan = self._call("Plan", {"resources": []})
            return met() if isinstance(plan.get("execution_order"), list) else failed("there is none")

        self._note("execution_order", ordered)
        resources = [dict(each) for each in self._material.resources]
        if not resources:
            self.verdicts |= dict.fromkeys(keys[1:], left_open(_NO_RESOURCES))
            return
        request = {"resources": [{**each, "action": "create"} for each in resources]}
        backwards = {"resources": request["resources"][::-1]}
        order: list[str] = []

        def plans() -> Verdict:
            order[:] = self._call("Plan", request)["execution_order"]
            if len(order) != len(resources):
                return failed(f"{len(resources)} resources, but {len(order)} in `execution_order`")
            again = self._call("Plan", backwards)["execution_order"]
            return met() if again == order else failed("the order depends on the order of the request")

        def applies() -> Verdict:
            applied = self._call("Apply", backwards)
            if not applied.get("success"):
                return failed(f"Apply fails: {applied.get('error', '')}")
            done = [f"{each['resource_type']} {each['name']}" for each in applied["results"]]
            return met() if done == order else failed("what was done is not in `execution_order`")

        def agrees() -> Verdict:
            left = [
                each for each in self._call("Plan", request)["resources"] if each["action"] != "unchanged"
            ]
            return met() if not left else failed(f"after Apply the same Plan still has {len(left)} changes")

        self._note("dependencies", plans)
        self._note("apply_order", applies)
        self._note("same_framework", agrees)
        self._note("ReadResource", lambda: self._all_there(resources))
        self._examine_comparison()
        self._note("DeleteResource", lambda: self._deletes(resources))

    def _all_there(self, resources: Sequence[Mapping[str, Any]]) -> Verdict:
        for each in resources:
            wanted = {"resource_type": each["resource_type"], "name": each["name"]}
            if not self._call("ReadResource", wanted).get("exists"):
                return failed(f"{each['resource_type']} {each['name']} was created and is not there")
        return met()

    def _examine_comparison(self) -> None:
        def no_drift() -> Verdict:
            answer = self._call("DetectDrift", {})
            return failed("drift is found where nobody changed anything") if answer.get("drifted") else met()

        for name, check in (
            ("DetectDrift", no_drift),
            ("ValidateState", lambda: self._succeeds("ValidateState", {})),
            ("GetAuditLog", lambda: self._succeeds("GetAuditLog", {})),
        ):
            if self.verdicts[name].outcome == "met":
                self._note(name, check)

    def _deletes(self, resources: Sequence[Mapping[str, Any]]) -> Verdict:
        request = [{**each, "action": "delete"} for each in resources]
        answer = self._call("Apply", {"resources": request})
        return met() if answer.get("success") else failed(f"what was made does not go: {answer.get('error')}")

    def _examine_parity(self) -> None:
        if not self._configured or self.schema is None:
            self.verdicts |= dict.fromkeys(("discoverable", "reflected"), left_open(_NO_SETTINGS))
            return
        types = [each.name for each in self.schema.resource_types]

        def discoverable() -> Verdict:
            for name in types:
                if not self._call("DiscoverResources", {"resource_type": name}).get("success"):
                    return failed(f"{name} cannot be discovered")
            return met()

        def reflected() -> Verdict:
            try:
                self._call("CreateResource", {"resource_type": _UNKNOWN, "name": "x", "config": {}})
            except ValidationError:
                return met()
            return failed("a type that is not in the schema can be created")

        self._note("discoverable", discoverable)
        self._note("reflected", reflected)

    def _examine_hostile(self) -> None:
        if not self._configured or self.schema is None:
            self.verdicts["parameters"] = left_open(_NO_SETTINGS)
            return
        name = self.schema.resource_types[0].name

        def check() -> Verdict:
            try:
                answer = self._call("ReadResource", {"resource_type": name, "name": _HOSTILE})
            except ValidationError:
                return met()
            return failed("a name that is SQL is found") if answer.get("exists") else met()

        self._note("parameters", check)

    def _examine_close(self) -> None:
        def check() -> Verdict:
            self.provider.close()
            self.provider.close()
            return met()

        def cleared() -> Verdict:
            try:
                self._call("Ping", {})
            except ConnectionError:
                return met()
            return failed("Ping after Close() does not say that there is no connection")

        self._note("close", check)
        self._note("cleared", cleared)

    def _examine_secrecy(self) -> None:
        hidden = [self._secret, *_secret_values(self._material.settings or {})]

        def leaks(texts: Sequence[str]) -> bool:
            return any(secret in text for text in texts for secret in hidden)

        self.verdicts["secrets"] = failed("a planted secret came back") if leaks(self._told) else met()
        self.verdicts["logs"] = failed("a planted secret is in a record") if leaks(self._logged) else met()

    def _category(self) -> Category | None:
        if self.schema is None or self.schema.category not in set(Category):
            return None
        return Category(self.schema.category)

    def _call(self, function: str, request: Mapping[str, Any]) -> dict[str, Any]:
        try:
            body = self.provider.call_function(self._context(), function, msgspec.json.encode(request))
        except KolumnError as error:
            self._told.append(_text(error))
            raise
        self._told.append(body.decode("utf-8", "replace"))
        answer: dict[str, Any] = msgspec.json.decode(body)
        return answer

    def _context(self) -> Context:
        return Context.background().with_timeout(_PATIENCE)

    def _note(self, key: str, check: Callable[[], Verdict]) -> None:
        try:
            self.verdicts[key] = check()
        except KolumnError as error:
            if key == "schema" and error.code in _NO_PROVIDER:
                raise
            self.verdicts[key] = failed(error.message)
        except (msgspec.MsgspecError, KeyError, TypeError, AttributeError) as error:
            self.verdicts[key] = failed(f"an answer does not have the contract's shape: {error!r}")


def _text(error: KolumnError) -> str:
    return f"{error} {error.details}"


def _secret_values(settings: Mapping[str, Any]) -> list[str]:
    from kolumn.contract.masking import is_secret_name

    return [
        value
        for name, value in settings.items()
        if is_secret_name(name) and isinstance(value, str) and len(value) > 3
    ]
