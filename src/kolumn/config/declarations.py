"""What the blocks of one folder declare, checked for form but not evaluated."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from kolumn.config.diagnostics import Fault, Source, did_you_mean
from kolumn.config.json_syntax import as_expression
from kolumn.config.positions import place
from kolumn.config.project import Lifecycle
from kolumn.config.syntax import (
    Block,
    Blocks,
    Body,
    Expression,
    Index,
    NestedBlock,
    ObjectOf,
    Traversal,
    TupleOf,
    Value,
)
from kolumn.config.types import ANY, VariableType, parse_type

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from kolumn.contract.errors import Location, Problem

MISSING: Final = object()
"""Stands for an attribute that is not written."""


@dataclass(slots=True)
class Declaration:
    """One top-level block and the file it stands in."""

    source: Source
    block: Block

    @property
    def location(self) -> Location:
        """The place of the block's header."""
        return self.source.location(self.block.start, self.block.end)

    def place(self, *path: str | int) -> Location:
        """Return the place of something inside the block, or of its nearest parent."""
        return place(self.source, (self.block.index, *path)) or self.location


@dataclass(slots=True)
class Validation:
    """One `validation` block."""

    condition: Value
    message: Value


@dataclass(slots=True)
class Variable(Declaration):
    """A `variable` block."""

    name: str
    type: VariableType
    default: Value
    sensitive: bool
    nullable: bool
    validations: tuple[Validation, ...]
    description: str = ""


@dataclass(slots=True)
class Local(Declaration):
    """One attribute of a `locals` block."""

    name: str
    value: Value


@dataclass(slots=True)
class Output(Declaration):
    """An `output` block."""

    name: str
    value: Value
    sensitive: bool
    description: str
    depends_on: tuple[Value, ...]


@dataclass(slots=True)
class Repetition:
    """`count` or `for_each`; both MISSING for a single instance."""

    count: Value = MISSING
    for_each: Value = MISSING

    @property
    def single(self) -> bool:
        """Tell whether there is exactly one instance, without a key."""
        return self.count is MISSING and self.for_each is MISSING


@dataclass(slots=True)
class Resource(Declaration):
    """A `create` or `discover` block; `entries` without meta-arguments."""

    type: str
    name: str
    entries: dict[str, Value]
    repetition: Repetition
    provider: Value
    depends_on: tuple[Value, ...]
    lifecycle: Lifecycle


@dataclass(slots=True)
class ModuleCall(Declaration):
    """A `module` block; `module` is filled in by the loader."""

    name: str
    folder: str
    inputs: dict[str, Value]
    repetition: Repetition
    providers: dict[str, str]
    depends_on: tuple[Value, ...]
    module: Module | None = None


@dataclass(slots=True)
class Provider(Declaration):
    """A `provider` block."""

    type: str
    alias: str
    entries: dict[str, Value]

    @property
    def address(self) -> str:
        """`sqlite` or `sqlite.replica`."""
        return f"{self.type}.{self.alias}" if self.alias else self.type


@dataclass(slots=True)
class MovedFrom(Declaration):
    """A `moved` block; addresses as written, without the module's own."""

    before: str
    after: str


@dataclass(slots=True)
class Policy(Declaration):
    """A `policy` block, its attributes as written."""

    name: str
    entries: dict[str, Value]


@dataclass(slots=True)
class Module:
    """Everything one folder declares."""

    folder: Path
    sources: tuple[Source, ...] = ()
    providers: dict[str, Provider] = field(default_factory=dict)
    variables: dict[str, Variable] = field(default_factory=dict)
    locals: dict[str, Local] = field(default_factory=dict)
    resources: dict[str, dict[str, Resource]] = field(default_factory=dict)
    """By type, then label."""
    discovered: dict[str, Resource] = field(default_factory=dict)
    outputs: dict[str, Output] = field(default_factory=dict)
    calls: dict[str, ModuleCall] = field(default_factory=dict)
    moved: list[MovedFrom] = field(default_factory=list)
    policies: dict[str, Policy] = field(default_factory=dict)
    builtin_policies: Declaration | None = None
    """The `policies` block."""
    settings: list[Declaration] = field(default_factory=list)
    """The `kolumn`, `required_providers` and `state` blocks."""


_KINDS: Final = {
    "provider": (1, 2),
    "create": (2, 2),
    "discover": (2, 2),
    "variable": (1, 1),
    "locals": (0, 0),
    "output": (1, 1),
    "module": (1, 1),
    "moved": (0, 0),
    "policy": (1, 1),
    "policies": (0, 0),
    "kolumn": (0, 0),
    "required_providers": (0, 0),
    "state": (0, 1),
}
"""Kinds of top-level blocks with the least and most labels."""

_FOREIGN: Final = {
    "resource": "create",
    "data": "discover",
    "terraform": "kolumn",
    "var": "variable",
    "local": "locals",
    "import": "kolumn import (a command)",
}
_VARIABLE_ARGUMENTS: Final = ("type", "default", "description", "sensitive", "nullable", "validation")
_OUTPUT_ARGUMENTS: Final = ("value", "sensitive", "description", "depends_on")
_META: Final = ("provider", "depends_on", "count", "for_each", "lifecycle")
_RESERVED: Final = frozenset(
    {"var", "local", "module", "each", "count", "path", "discover", "self", "true", "false", "null"}
)


class Declarer:
    """Sorts blocks into a Module; faults are collected in `problems`."""

    def __init__(self, folder: Path) -> None:
        self.module = Module(folder)
        self.problems: list[Problem] = []

    def add(self, source: Source, blocks: list[Block]) -> None:
        """Take in the blocks of one file."""
        for block in blocks:
            try:
                self._block(Declaration(source, block))
            except Fault as fault:
                if not block.broken or fault.code == "unknown_block":
                    self.problems.append(fault.problem(source, source.location(block.start, block.end)))

    def _block(self, here: Declaration) -> None:
        block = here.block
        limits = _KINDS.get(block.kind)
        if limits is None:
            hint = did_you_mean(block.kind, _KINDS, "Known: " + ", ".join(_KINDS) + ".")
            if block.kind in _FOREIGN:
                hint = f'In Kolumn this is "{_FOREIGN[block.kind]}".'
            raise Fault(
                f"There is no block {block.kind[:60]}.",
                block.start,
                block.end,
                hint=hint,
                code="unknown_block",
            )
        if not limits[0] <= len(block.labels) <= limits[1]:
            wanted = "no label" if limits[1] == 0 else f"{limits[0]} label{'s' if limits[0] > 1 else ''}"
            raise Fault(
                f"A {block.kind} block has {wanted}, not {len(block.labels)}.",
                block.start,
                block.end,
                hint=_HEADERS.get(block.kind, ""),
                code="labels",
            )
        getattr(self, f"_{block.kind}")(here)

    def _register(self, known: dict[str, Any], name: str, what: str, made: Declaration) -> None:
        if name in known:
            first = known[name].location
            raise Fault(
                f"{what} is declared twice; first at {first}.",
                made.block.start,
                made.block.end,
                hint="Rename or remove one of them.",
                code="duplicate",
            )
        known[name] = made

    # One method per kind of block

    def _provider(self, here: Declaration) -> None:
        entries = dict(here.block.entries)
        alias = here.block.labels[1] if len(here.block.labels) == 2 else ""
        written = entries.pop("alias", alias)
        if not isinstance(written, str) or (alias and written != alias):
            raise Fault("The alias of a provider is one literal text.", code="bad_alias")
        made = Provider(here.source, here.block, here.block.labels[0], written, entries)
        self._register(self.module.providers, made.address, f"provider {made.address}", made)

    def _variable(self, here: Declaration) -> None:
        block = here.block
        name = block.labels[0]
        entries = block.entries
        self._only(here, _VARIABLE_ARGUMENTS)
        if name in _RESERVED or name in _META or not name.replace("-", "_").isidentifier():
            raise Fault("This is no name for a variable.", block.start, block.end, code="bad_name")
        try:
            kind = parse_type(entries["type"]) if "type" in entries else ANY
        except Fault as fault:
            self._problem(here, fault, "type")
            kind = ANY
        default = entries.get("default", MISSING)
        validations = []
        for body in bodies_of(entries.get("validation", [])):
            if set(body) != {"condition", "error_message"}:
                self._problem(here, Fault("A validation has condition and error_message."), "validation")
            else:
                validations.append(Validation(body["condition"], body["error_message"]))
        made = Variable(
            here.source,
            block,
            name,
            kind,
            default,
            self._flag(here, "sensitive", False),
            self._flag(here, "nullable", True),
            tuple(validations),
            self._literal_text(here, "description"),
        )
        self._register(self.module.variables, name, f"variable {name}", made)

    def _locals(self, here: Declaration) -> None:
        for name, value in here.block.entries.items():
            made = Local(here.source, here.block, name, value)
            if name in self.module.locals:
                first = self.module.locals[name].place(name)
                fault = Fault(f"local.{name} is declared twice; first at {first}.", code="duplicate")
                self._problem(here, fault, name)
            else:
                self.module.locals[name] = made

    def _output(self, here: Declaration) -> None:
        self._only(here, _OUTPUT_ARGUMENTS)
        name = here.block.labels[0]
        if "value" not in here.block.entries:
            raise Fault(
                f"output {name} has no value.", here.block.start, here.block.end, code="missing_attribute"
            )
        made = Output(
            here.source,
            here.block,
            name,
            here.block.entries["value"],
            self._flag(here, "sensitive", False),
            self._literal_text(here, "description"),
            items_of(here.block.entries.get("depends_on", [])),
        )
        self._register(self.module.outputs, name, f"output {name}", made)

    def _create(self, here: Declaration) -> None:
        made = self._resource(here)
        of_type = self.module.resources.setdefault(made.type, {})
        self._register(of_type, made.name, f"{made.type}.{made.name}", made)

    def _discover(self, here: Declaration) -> None:
        made = self._resource(here)
        self._register(self.module.discovered, made.name, f"discover.{made.name}", made)

    def _resource(self, here: Declaration) -> Resource:
        block = here.block
        entries = block.entries
        type_, name = block.labels
        if type_ in _RESERVED or not type_.replace("-", "_").isidentifier():
            raise Fault(f"{type_[:60]} is no type of resource.", block.start, block.end, code="bad_name")
        lifecycle = Lifecycle()
        meta = [key for key in _META if key in entries]
        if meta:
            entries = {key: value for key, value in entries.items() if key not in _META}
            if "lifecycle" in meta:
                lifecycle = self._lifecycle(here)
        return Resource(
            here.source,
            block,
            type_,
            name,
            entries,
            self._repetition(here),
            self._named(here, "provider"),
            tuple(map(as_expression, items_of(block.entries.get("depends_on", [])))),
            lifecycle,
        )

    def _lifecycle(self, here: Declaration) -> Lifecycle:
        bodies = bodies_of(here.block.entries["lifecycle"])
        if len(bodies) != 1:
            self._problem(here, Fault("There is one lifecycle block.", code="duplicate"), "lifecycle")
        body = bodies[0] if bodies else {}
        for key in body:
            if key not in ("prevent_destroy", "ignore_changes"):
                hint = did_you_mean(
                    key, ("prevent_destroy", "ignore_changes"), "Known: prevent_destroy, ignore_changes."
                )
                fault = Fault(f"lifecycle has no {key}.", hint=hint, code="unknown_attribute")
                self._problem(here, fault, "lifecycle", 0, key)
        prevent = body.get("prevent_destroy", False)
        if not isinstance(prevent, bool):
            fault = Fault("prevent_destroy is true or false, written out.", code="wrong_type")
            self._problem(here, fault, "lifecycle", 0, "prevent_destroy")
            prevent = False
        return Lifecycle(prevent, self._ignored(here, body.get("ignore_changes", [])))

    def _ignored(self, here: Declaration, value: Value) -> tuple[str, ...]:
        if value == "all" or (isinstance(value, Traversal) and value.root == "all" and not value.steps):
            return ("all",)
        paths = []
        for item in items_of(value):
            path = item if isinstance(item, str) else traversal_text(item)
            if path is None:
                fault = Fault("ignore_changes is a list of attribute names, or all.", code="wrong_type")
                self._problem(here, fault, "lifecycle", 0, "ignore_changes")
            else:
                paths.append(path)
        return tuple(paths)

    def _module(self, here: Declaration) -> None:
        entries = dict(here.block.entries)
        name = here.block.labels[0]
        folder = entries.pop("source", None)
        if not isinstance(folder, str) or not (folder.startswith((".", "/")) or folder in (".", "..")):
            raise Fault(
                f"module {name} needs a source that is a folder on this machine.",
                here.block.start,
                here.block.end,
                hint='Write it like source = "./modules/shop".',
                code="bad_source",
            )
        for key in ("count", "for_each", "providers", "depends_on"):
            entries.pop(key, None)
        providers: dict[str, str] = {}
        given = here.block.entries.get("providers", {})
        pairs = (
            given.items() if isinstance(given, dict) else given.items if isinstance(given, ObjectOf) else ()
        )
        for key, value in pairs:
            inner = traversal_text(key) if isinstance(key, Expression) else key
            outer = traversal_text(as_expression(value))
            if inner is None or outer is None:
                self._problem(
                    here, Fault("providers maps provider names: { sqlite = sqlite.replica }."), "providers"
                )
            else:
                providers[inner] = outer
        made = ModuleCall(
            here.source,
            here.block,
            name,
            folder,
            entries,
            self._repetition(here),
            providers,
            tuple(map(as_expression, items_of(here.block.entries.get("depends_on", [])))),
        )
        self._register(self.module.calls, name, f"module {name}", made)

    def _moved(self, here: Declaration) -> None:
        self._only(here, ("from", "to"))
        addresses = []
        for key in ("from", "to"):
            value = here.block.entries.get(key)
            text = traversal_text(as_expression(value)) if value is not None else None
            if text is None or "." not in text:
                raise Fault(
                    f"moved needs {key} = TYPE.NAME.",
                    hint="moved { from = sqlite_table.a to = sqlite_table.b }",
                )
            addresses.append(text)
        self.module.moved.append(MovedFrom(here.source, here.block, *addresses))

    def _policy(self, here: Declaration) -> None:
        name = here.block.labels[0]
        if not name.replace("-", "_").isidentifier():
            raise Fault(
                "This is no name for a policy.",
                here.block.start,
                here.block.end,
                hint='Words joined by _ or -, like policy "no_drop_in_production".',
                code="bad_name",
            )
        made = Policy(here.source, here.block, name, here.block.entries)
        self._register(self.module.policies, name, f"policy {name}", made)

    def _policies(self, here: Declaration) -> None:
        self._only(here, ("builtin",))
        if (first := self.module.builtin_policies) is not None:
            raise Fault(
                f"policies is declared twice; first at {first.location}.",
                here.block.start,
                here.block.end,
                hint="Join them.",
                code="duplicate",
            )
        self.module.builtin_policies = here

    def _kolumn(self, here: Declaration) -> None:
        self._only(here, ("required_version", "required_providers", "state", "backend"))
        self.module.settings.append(here)

    def _required_providers(self, here: Declaration) -> None:
        self.module.settings.append(here)

    def _state(self, here: Declaration) -> None:
        self.module.settings.append(here)

    # Parts

    def _problem(self, here: Declaration, fault: Fault, *path: str | int) -> None:
        self.problems.append(fault.problem(here.source, here.place(*path)))

    def _only(self, here: Declaration, known: Sequence[str]) -> None:
        for key in here.block.entries:
            if key not in known:
                hint = did_you_mean(key, known, "Known: " + ", ".join(known) + ".")
                fault = Fault(f"{here.block.kind} has no {key[:60]}.", hint=hint, code="unknown_attribute")
                self._problem(here, fault, key)

    def _flag(self, here: Declaration, key: str, default: bool) -> bool:
        value = here.block.entries.get(key, default)
        if isinstance(value, bool):
            return value
        self._problem(here, Fault(f"{key} is true or false, written out.", code="wrong_type"), key)
        return default

    def _literal_text(self, here: Declaration, key: str) -> str:
        value = here.block.entries.get(key, "")
        if isinstance(value, str):
            return value
        self._problem(here, Fault(f"{key} is a text without references.", code="wrong_type"), key)
        return ""

    def _named(self, here: Declaration, key: str) -> str:
        """Return a provider's address from `postgres.regional` or "postgres.regional"."""
        value = here.block.entries.get(key)
        if value is None:
            return ""
        text = traversal_text(as_expression(value))
        if text is None:
            self._problem(
                here, Fault(f"{key} is a provider: sqlite or sqlite.alias.", code="wrong_type"), key
            )
        return text or ""

    def _repetition(self, here: Declaration) -> Repetition:
        entries = here.block.entries
        if "count" in entries and "for_each" in entries:
            self._problem(here, Fault("count and for_each exclude each other.", code="conflict"), "for_each")
        return Repetition(entries.get("count", MISSING), entries.get("for_each", MISSING))


_HEADERS: Final = {
    "create": 'Write create "TYPE" "NAME" { ... }.',
    "discover": 'Write discover "TYPE" "NAME" { ... }.',
    "provider": 'Write provider "TYPE" { ... }.',
    "variable": 'Write variable "NAME" { ... }.',
    "output": 'Write output "NAME" { ... }.',
    "module": 'Write module "NAME" { ... }.',
    "policy": 'Write policy "NAME" { ... }.',
}


def items_of(value: Value) -> tuple[Value, ...]:
    """Return the elements of a written list, unevaluated; one value counts as a list of it."""
    if isinstance(value, TupleOf):
        return value.items
    return tuple(value) if isinstance(value, list) else (value,)


def bodies_of(value: Value) -> list[dict[str, Value]]:
    """Return the entries of unlabelled blocks of one kind, in `.kl` or JSON form."""
    if isinstance(value, Blocks):
        return [
            body for item in value.items if isinstance(item, NestedBlock) for body in bodies_of(item.body)
        ]
    if isinstance(value, Body):
        return [value.entries]
    if isinstance(value, ObjectOf):
        return [{key: item for key, item in value.items if isinstance(key, str)}]
    if isinstance(value, dict):
        return [value]
    if isinstance(value, (list, TupleOf)):
        return [body for item in items_of(value) for body in bodies_of(item)]
    return []


def traversal_text(node: Value) -> str | None:
    """Return `a.b["c"]` for a traversal with literal keys, else None."""
    if not isinstance(node, Traversal):
        return None
    text = node.root
    for step in node.steps:
        if isinstance(step, Index):
            if isinstance(step.key, str):
                text += f"[{key_text(step.key)}]"
            elif isinstance(step.key, int):
                text += f"[{step.key}]"
            else:
                return None
        else:
            text += f".{step}"
    return text


def key_text(key: str | int) -> str:
    """Return the key of an instance as its address has it: `0` or `"eu"`."""
    if not isinstance(key, str):
        return str(key) if isinstance(key, int) else "?"
    escaped = key.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
