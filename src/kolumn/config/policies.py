"""What `policy` blocks say: settings evaluated at once, rules kept as expressions over a plan to come.

Everything a rule names that is the configuration's own (`var`, `local`, `module`, resources) is put into it as a
value here. So what is left can look at nothing but what it is asked about.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from kolumn.config.bodies import entry
from kolumn.config.declarations import MISSING, Policy
from kolumn.config.diagnostics import Fault, did_you_mean
from kolumn.config.evaluator import evaluate
from kolumn.config.project import UNKNOWN, PolicyConfig
from kolumn.config.syntax import (
    Access,
    Call,
    Embedded,
    Expression,
    For,
    Index,
    Step,
    TemplateFor,
    Traversal,
    Value,
)
from kolumn.config.syntax_data import to_data
from kolumn.config.values import is_marked, to_bool, type_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from kolumn.config.scope import Scope
    from kolumn.config.session import Session

SUBJECTS: Final[Mapping[str, tuple[str, ...]]] = {
    "change": ("change", "resource", "plan"),
    "step": ("step", "change", "resource", "plan"),
    "resource": ("resource", "plan"),
    "column": ("column", "resource", "plan"),
    "plan": ("plan",),
}
"""What a rule may be asked about, and which names its expressions may use for it."""
SETTINGS_NAMES: Final = ("change",)
"""The names that `when` may use in the settings of a built-in policy."""
SEVERITIES: Final = ("error", "warning", "info")
BUILTIN_CHOICES: Final = ("default", "all", "none")

_RULE: Final = ("for", "deny", "require", "message", "hint", "url", "description")
"""Attributes that make a block a rule of its own; without `deny` and `require` it is about a built-in one."""
_COMMON: Final = ("when", "severity", "enabled", "overridable", "except")
_FORBIDDEN: Final = frozenset(
    {"file", "filebase64", "fileexists", "fileset", "templatefile", "env", "abspath", "pathexpand"}
)
"""Functions that look outside; a local may call them for a rule."""


def policies(session: Session, root: Scope) -> tuple[PolicyConfig, ...]:
    """Evaluate every `policy` block as far as that goes without a plan; faults are reported."""
    return tuple(_Reading(session, root, declared).policy() for declared in root.module.policies.values())


def builtin_choice(session: Session, root: Scope) -> str:
    """Return which built-in policies are on before single ones are set: `default`, `all` or `none`."""
    declared = root.module.builtin_policies
    if declared is None:
        return "default"
    choice = "default"
    try:
        choice = evaluate(declared.block.entries.get("builtin", "default"), root.frame())
        if choice not in BUILTIN_CHOICES:
            raise Fault(f"builtin is one of {', '.join(BUILTIN_CHOICES)}.", code="invalid_enum")
    except Fault as fault:
        session.report(fault, declared.source, declared.place("builtin"))
    return str(choice)


class _Reading:
    """Reads one block."""

    def __init__(self, session: Session, scope: Scope, declared: Policy) -> None:
        self.session = session
        self.scope = scope
        self.declared = declared
        self.entries = declared.entries
        self.is_rule = "deny" in self.entries or "require" in self.entries

    def policy(self) -> PolicyConfig:
        entries = self.entries
        subject = "change"
        if self.is_rule:
            if "deny" in entries and "require" in entries:
                self._report(Fault("deny and require exclude each other.", code="conflict"), "require")
            subject = self._text("for", "change", tuple(SUBJECTS))
            for key in entries:
                if key not in (*_RULE, *_COMMON):
                    hint = did_you_mean(key, (*_RULE, *_COMMON), f"Known: {', '.join((*_COMMON, *_RULE))}.")
                    self._report(
                        Fault(f"policy has no {key[:60]}.", hint=hint, code="unknown_attribute"), key
                    )
        names = SUBJECTS.get(subject, SUBJECTS["change"]) if self.is_rule else SETTINGS_NAMES
        condition = "require" if "require" in entries else "deny"
        parameters = {} if self.is_rule else {key: self._value(key) for key in entries if key not in _COMMON}
        return PolicyConfig(
            name=self.declared.name,
            subject=subject if self.is_rule else "",
            when=self._expression("when", names, default=True),
            condition=self._expression(condition, names, default=False),
            requires=condition == "require",
            severity=self._text("severity", "", SEVERITIES),
            enabled=self._flag("enabled"),
            overridable=self._flag("overridable"),
            exceptions=self._texts("except"),
            message=self._expression("message", names, default="", text=True) if self.is_rule else "",
            hint=self._expression("hint", names, default="", text=True) if self.is_rule else "",
            url=self._text("url", "") if self.is_rule else "",
            description=self._text("description", "") if self.is_rule else "",
            parameters=parameters,
            location=self.declared.location,
        )

    # Values known at once

    def _value(self, key: str) -> Any:
        """Return an attribute that must not depend on a plan; None after a fault."""
        node = self.entries[key]
        try:
            value = entry(key, node, self.scope.frame()) if isinstance(node, Expression) else node
            return self._plain(value, key)
        except Fault as fault:
            if isinstance(node, Traversal) and node.root in SUBJECTS:
                fault.hint = f"{key} is decided before there is a plan; use when for what depends on one."
            self._report(fault, key)
        return None

    def _plain(self, value: Any, what: str) -> Any:
        if is_marked(value, self.session.budget)[0]:
            raise Fault(
                f"{what} uses a sensitive value, and policies show what they are about.",
                hint="Leave it out, or wrap it in nonsensitive() where it tells nothing.",
                code="sensitive_policy",
            )
        return _plain(value)

    def _text(self, key: str, default: str, known: tuple[str, ...] = ()) -> str:
        if key not in self.entries:
            return default
        value = self._value(key)
        if value is None or value is UNKNOWN:
            return default
        if not isinstance(value, str):
            self._report(Fault(f"{key} is a text, not {type_name(value)}.", code="wrong_type"), key)
            return default
        if known and value not in known:
            hint = did_you_mean(value, known, f"Known: {', '.join(known)}.")
            self._report(Fault(f"{key} cannot be {value[:60]}.", hint=hint, code="invalid_enum"), key)
            return default
        return value

    def _texts(self, key: str) -> tuple[str, ...]:
        value = self._value(key) if key in self.entries else []
        found = value if isinstance(value, list) else [] if value is None or value is UNKNOWN else [value]
        if not all(isinstance(each, str) for each in found):
            self._report(
                Fault(f"{key} is a list of addresses; * stands for anything.", code="wrong_type"), key
            )
            return ()
        return tuple(found)

    def _flag(self, key: str) -> bool | None:
        value = self._value(key) if key in self.entries else None
        if value is None or value is UNKNOWN:
            return None
        try:
            return to_bool(value)
        except Fault as fault:
            self._report(fault, key)
        return None

    # Expressions

    def _expression(self, key: str, names: tuple[str, ...], *, default: Any, text: bool = False) -> Any:
        """Return an expression as data with everything in it that is known already as values."""
        node = self.entries.get(key, MISSING)
        if node is MISSING:
            return default
        if not isinstance(node, Expression) and not isinstance(node, str if text else bool):
            what = "a text" if text else "an expression that is true or false"
            hint = "" if text else 'Write it without quotes; in JSON like "${change.action == \\"delete\\"}".'
            self._report(Fault(f"{key} is {what}.", hint=hint, code="wrong_type"), key)
            return default
        try:
            return to_data(_Folding(self, key).fold(node, frozenset(names)))
        except Fault as fault:
            self._report(fault, key)
        except RecursionError:
            self._report(Fault("Nested too deeply.", code="too_deep"), key)
        return default

    def known(self, node: Traversal, names: frozenset[str], what: str) -> Any:
        """Return the value of a name that is not the rule's own. Raises Fault."""
        module = self.scope.module
        if node.root not in (*_ROOTS, *module.resources):
            hint = did_you_mean(
                node.root,
                [*names, *_ROOTS, *module.resources],
                f"Known here: {', '.join(sorted(names))}, var, local.",
            )
            if node.root in SUBJECTS:
                hint = f'It is known in policies with for = "{node.root}".'
                if not self.is_rule:
                    hint = f"Settings of a built-in policy know {' and '.join(SETTINGS_NAMES)} only."
            raise Fault(
                f"There is nothing called {node.root[:60]} here.",
                node.start,
                node.end,
                hint=hint,
                code="unknown_reference",
            )
        try:
            return self._plain(evaluate(node, self.scope.frame()), what)
        except Fault as fault:
            raise fault.spanning(node.start, node.end) from None

    def _report(self, fault: Fault, key: str) -> None:
        self.session.report(fault, self.declared.source, self.declared.place(key))


_ROOTS: Final = ("var", "local", "module", "path", "discover", "each", "count")


class _Folding:
    """Puts values in the place of names that are known."""

    def __init__(self, reading: _Reading, key: str) -> None:
        self._reading = reading
        self._key = key

    def fold(self, node: Value, names: frozenset[str]) -> Value:
        """Return `node` with only `names`, and variables of its own, left to look up. Raises Fault."""
        match node:
            case Traversal():
                return self._traversal(node, names)
            case Call(name=name) if name in _FORBIDDEN:
                raise Fault(
                    f"A policy cannot call {name}(): it sees the plan and nothing else.",
                    node.start,
                    node.end,
                    hint="Call it in locals { } and use local.NAME here.",
                    code="policy_function",
                )
            case For() | TemplateFor():
                inner = names | ({node.value_name, node.key_name} - {""})
                return self._fields(node, lambda field: names if field == "collection" else inner)
            case Embedded():
                try:
                    return self._fields(node, lambda _: names)
                except Fault as fault:
                    fault.start, fault.end = node.start, node.end
                    raise
            case Expression() | Index():
                return self._fields(node, lambda _: names)
            case list() | tuple():
                return type(node)(self.fold(each, names) for each in node)
            case dict():
                return {key: self.fold(each, names) for key, each in node.items()}
        return node

    def _fields(self, node: Any, names: Callable[[str], frozenset[str]]) -> Any:
        found = {
            field.name: self.fold(getattr(node, field.name), names(field.name))
            for field in dataclasses.fields(node)
            if field.name not in ("start", "end")
        }
        return dataclasses.replace(node, **found)

    def _traversal(self, node: Traversal, names: frozenset[str]) -> Value:
        steps = tuple(self._step(step, names) for step in node.steps)
        if node.root in names:
            return dataclasses.replace(node, steps=steps)
        fixed: list[Step] = []
        for step in steps:
            if isinstance(step, Index) and isinstance(step.key, Expression):
                break
            fixed.append(step)
        value = self._reading.known(
            Traversal(node.start, node.end, node.root, tuple(fixed)), names, self._key
        )
        rest = steps[len(fixed) :]
        return Access(node.start, node.end, value, rest) if rest else value

    def _step(self, step: Step, names: frozenset[str]) -> Step:
        return Index(self.fold(step.key, names)) if isinstance(step, Index) else step


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, str) else value
