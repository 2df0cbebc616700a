"""What names stand for: modules, variables, locals, resources and instances, evaluated when asked for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kolumn.config.bodies import entry, names_made
from kolumn.config.columns import column_names, normalised_columns
from kolumn.config.configuration import VARIABLE_PREFIX
from kolumn.config.declarations import (
    MISSING,
    Declaration,
    Local,
    Module,
    ModuleCall,
    Output,
    Repetition,
    Resource,
    Variable,
    key_text,
)
from kolumn.config.diagnostics import Fault, Source, did_you_mean
from kolumn.config.evaluator import Frame, evaluate, iterate, open_mark, step_into
from kolumn.config.functions import CallContext
from kolumn.config.functions.conversions import texts_in
from kolumn.config.parser import parse_template
from kolumn.config.project import UNKNOWN, DiscoverConfig, Unknown
from kolumn.config.syntax import Expression, Index, Step, Traversal, Value
from kolumn.config.types import convert
from kolumn.config.values import (
    MAX_ITEMS,
    Budget,
    Sensitive,
    SetValue,
    bare,
    is_marked,
    to_bool,
    to_text,
    to_whole,
    type_name,
)
from kolumn.config.variables import Input, read_text
from kolumn.contract.errors import Problem, ValidationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from kolumn.config.session import Session

_ROOTS: Final = ("var", "local", "module", "each", "count", "path", "discover")


class ResourceName(str):
    """A resource as a value: its name as text, its attributes by steps."""

    __slots__ = ("instance",)
    instance: Instance

    def member(self, key: Any, frame: Frame) -> Any:
        """Return the value of `.key`."""
        return self.instance.member(key, frame)


class Instance:
    """One instance of a `create` block."""

    def __init__(self, scope: Scope, declared: Resource, key: Any, variables: Mapping[str, Any]) -> None:
        self.scope = scope
        self.declared = declared
        self.variables = variables
        suffix = f"[{key_text(key)}]" if key is not None else ""
        suffix = "[?]" if isinstance(key, Unknown) else suffix
        self.name = f"{scope.prefix}{declared.name}{suffix}"
        self.address = f"{scope.prefix}{declared.type}.{declared.name}{suffix}"

    def frame(self) -> Frame:
        """Return a new frame to evaluate something of this instance in."""
        return Frame(self.scope, self.scope.calls, self.variables)

    def attribute(self, name: str, into: Frame | None) -> Any:
        """Return the value of an attribute or block of the body."""
        value = self.declared.entries[name]
        if not isinstance(value, Expression):
            return value
        return self.scope.session.once(
            ("attribute", self.address, name),
            f"{self.address}.{name}",
            self.frame(),
            lambda frame: entry(name, value, frame),
            lambda: (self.declared.source, self.declared.place(name)),
            into,
        )

    def title(self) -> Any:
        """Return the name, or schema.name: what `table = sqlite_table.users` becomes."""
        entries = self.declared.entries
        # The target's own references are not the referrer's.
        name, hidden = open_mark(self.attribute("name", None) if "name" in entries else self.declared.name)
        schema, also = open_mark(self.attribute("schema", None) if "schema" in entries else None)
        if isinstance(name, Unknown) or isinstance(schema, Unknown):
            return UNKNOWN
        title = to_text(name) if schema is None or schema == "" else f"{to_text(schema)}.{to_text(name)}"
        if hidden or also:
            return Sensitive(title)
        made = ResourceName(title)
        made.instance = self
        return made

    def member(self, key: Any, frame: Frame) -> Any:
        """Return `RESOURCE.key`: an attribute, a column's name, the address or the type."""
        key = to_text(key)
        entries = self.declared.entries
        if frame.in_references:
            return self.reference(key)
        if key in ("column", "columns") and ("column" in entries or "columns" in entries):
            written = "column" if "column" in entries else "columns"
            return normalised_columns(self.attribute(written, None))
        if key in entries:
            return self.attribute(key, None)
        if key == "name":
            return self.declared.name
        own = self.frame()
        try:
            names = column_names(
                entries,
                lambda value: entry("column", value, own),
                lambda item, depth: names_made(item, depth, own),
            )
        except Fault as fault:
            fault.start = -1  # its offsets belong to this resource's file, the reader's may be another
            raise
        if names is None or key in names:
            return UNKNOWN if names is None else key
        if key == "id":
            return self.address
        if key == "type":
            return self.declared.type
        raise Fault(
            f"{self.address} has no attribute or column {key[:60]}.",
            hint=did_you_mean(key, [*entries, *names, "name", "id"]),
            code="unknown_attribute",
        )

    def reference(self, column: str) -> Any:
        """Return `users(column)`."""
        title, hidden = open_mark(self.title())
        if isinstance(title, Unknown):
            return UNKNOWN
        return Sensitive(f"{title}({column})") if hidden else f"{title}({column})"


class Scope:
    """One instance of a module: the resolver of all names in it."""

    def __init__(
        self, session: Session, module: Module, parent: Scope | None, call: ModuleCall | None, key: Any
    ) -> None:
        self.session = session
        self.module = module
        self.parent = parent
        self.call = call
        self.key = key
        suffix = f"[{key_text(key)}]" if key is not None else ""
        self.prefix: str = f"{parent.prefix}module.{call.name}{suffix}." if parent and call else ""
        self.variables: Mapping[str, Any] = {}
        """`each` and `count` of the call, for its inputs."""
        self.inputs: Mapping[str, Input] = {}
        """Values from outside; the root's only."""
        self.calls = CallContext(
            module.folder, session.budget, session.environ, self.render, session.impure, session.secrets
        )
        self._instances: dict[int, list[Instance]] = {}
        self._children: dict[str, list[Scope]] = {}
        self._by_name: dict[str, Resource] | None = None

    def frame(self) -> Frame:
        """Return a new frame for something of this module that is not repeated."""
        return Frame(self, self.calls)

    # Names

    def resolve(self, traversal: Traversal, frame: Frame) -> Any:
        """Return the value of a traversal. Raises Fault."""
        root, steps = traversal.root, traversal.steps
        known = _RESOLVERS.get(root)
        if known is not None:
            return known(self, steps, frame)
        declared = self.module.resources.get(root)
        if declared is not None:
            return self._resource(root, declared, steps, frame)
        if frame.in_references:
            return self._bare_reference(root, steps, frame)
        hint = did_you_mean(root, [*_ROOTS, *self.module.resources, *frame.variables])
        if not hint:
            hint = (
                "Texts stand in double quotes."
                if not steps
                else "References begin with var, local, or a type."
            )
        # A lone word may be a text, even a secret one, that lost its quotes.
        message = f"There is nothing called {root[:60]}." if steps else "This word stands for nothing."
        raise Fault(message, hint=hint, code="unknown_reference")

    def _first(self, what: str, steps: tuple[Step, ...]) -> tuple[str, tuple[Step, ...]]:
        if steps:
            first = steps[0]
            if isinstance(first, str):
                return first, steps[1:]
            if isinstance(first, Index) and isinstance(first.key, str):
                return first.key, steps[1:]
        raise Fault(f"{what} is followed by a name.", hint=f"Write {what}.NAME.", code="unknown_reference")

    def _var(self, steps: tuple[Step, ...], frame: Frame) -> Any:
        name, rest = self._first("var", steps)
        declared = self.module.variables.get(name)
        if declared is None:
            hint = did_you_mean(name, self.module.variables, f'Declare it: variable "{name[:60]}" {{}}.')
            raise Fault(f"There is no variable {name[:60]}.", hint=hint, code="unknown_reference")
        return step_into(self.variable(declared, frame), rest, frame)

    def _local(self, steps: tuple[Step, ...], frame: Frame) -> Any:
        name, rest = self._first("local", steps)
        declared = self.module.locals.get(name)
        if declared is None:
            hint = did_you_mean(name, self.module.locals, "Declare it in locals { }.")
            raise Fault(f"There is no local {name[:60]}.", hint=hint, code="unknown_reference")
        return step_into(self.local(declared, frame), rest, frame)

    def _path(self, steps: tuple[Step, ...], frame: Frame) -> Any:
        name, rest = self._first("path", steps)
        if name == "cwd":  # the project's own folder is part of the cache's key
            self.session.impure.add("path.cwd")
        folders = {"module": self.module.folder, "root": self.session.folder, "cwd": Path()}
        if name not in folders:
            hint = did_you_mean(name, folders, "Known: path.module, path.root, path.cwd.")
            raise Fault(f"There is no path.{name[:60]}.", hint=hint, code="unknown_reference")
        return step_into(os.path.abspath(folders[name]), rest, frame)  # noqa: PTH100 - links kept

    def _repeated(self, steps: tuple[Step, ...], frame: Frame) -> Any:
        raise Fault(
            "each and count exist only in a block with for_each or count.",
            hint="each belongs to for_each, count to count.",
            code="unknown_reference",
        )

    def _module(self, steps: tuple[Step, ...], frame: Frame) -> Any:
        name, rest = self._first("module", steps)
        call = self.module.calls.get(name)
        if call is None:
            hint = did_you_mean(name, self.module.calls)
            raise Fault(f"There is no module {name[:60]}.", hint=hint, code="unknown_reference")
        scopes = self.children(call)
        if call.repetition.single:
            return _follow_outputs(scopes[0], rest, frame)
        if rest and isinstance(rest[0], Index):
            scope = _with_key(scopes, [scope.key for scope in scopes], rest[0], f"module.{name}", frame)
            return scope if scope is UNKNOWN else _follow_outputs(scope, rest[1:], frame)
        if any(isinstance(scope.key, Unknown) for scope in scopes):
            return UNKNOWN
        outputs = [scope.all_outputs(frame) for scope in scopes]
        if call.repetition.for_each is MISSING:
            return step_into(outputs, rest, frame)
        return step_into(
            {scope.key: value for scope, value in zip(scopes, outputs, strict=True)}, rest, frame
        )

    def _discover(self, steps: tuple[Step, ...], frame: Frame) -> Any:
        name, rest = self._first("discover", steps)
        declared = self.module.discovered.get(name)
        if declared is None and rest and isinstance(rest[0], str):
            declared = self.module.discovered.get(rest[0])
            if declared is not None and declared.type != name:
                declared = None
            rest = rest[1:]
        if declared is None:
            raise Fault(
                f"There is no discover {name[:60]}.",
                hint=did_you_mean(name, self.module.discovered, 'Declare it: discover "TYPE" "NAME" { }.'),
                code="unknown_reference",
            )
        instances = self.instances(declared)
        if declared.repetition.single:
            return self._found(instances[0], rest, frame)
        if rest and isinstance(rest[0], Index):
            keys = [_key(instance) for instance in instances]
            chosen = _with_key(instances, keys, rest[0], f"discover.{declared.name}", frame)
            return chosen if chosen is UNKNOWN else self._found(chosen, rest[1:], frame)
        values = [self.discovery(instance, frame) for instance in instances]
        if declared.repetition.for_each is MISSING:
            return step_into(values, rest, frame)
        keyed = {_key(instance): value for instance, value in zip(instances, values, strict=True)}
        return step_into(keyed, rest, frame)

    def _found(self, instance: Instance, steps: tuple[Step, ...], frame: Frame) -> Any:
        value = self.discovery(instance, frame)
        if frame.in_references and len(steps) == 1 and isinstance(steps[0], str) and isinstance(value, dict):
            name, schema = value.get("name"), value.get("schema")
            if isinstance(name, str):
                return f"{schema}.{name}({steps[0]})" if schema else f"{name}({steps[0]})"
        return step_into(value, steps, frame)

    def _resource(
        self, type_: str, declared: Mapping[str, Resource], steps: tuple[Step, ...], frame: Frame
    ) -> Any:
        name, rest = self._first(type_, steps)
        resource = declared.get(name)
        if resource is None:
            raise Fault(
                f"There is no {type_}.{name[:60]}.",
                hint=did_you_mean(name, declared),
                code="unknown_reference",
            )
        return self._reach(resource, rest, frame)

    def _reach(self, resource: Resource, steps: tuple[Step, ...], frame: Frame) -> Any:
        """Return the value of a resource and the steps after it; notes the dependency."""
        instances = self.instances(resource)
        address = f"{resource.type}.{resource.name}"
        if resource.repetition.single:
            chosen = instances[0]
        elif steps and isinstance(steps[0], Index):
            keys = [_key(instance) for instance in instances]
            found = _with_key(instances, keys, steps[0], address, frame)
            if found is UNKNOWN:
                return UNKNOWN
            chosen, steps = found, steps[1:]
        else:
            frame.dependencies.update(instance.address for instance in instances)
            if any(isinstance(_key(instance), Unknown) for instance in instances):
                return UNKNOWN
            if steps and isinstance(steps[0], str):
                shape = "count" if resource.repetition.for_each is MISSING else "for_each"
                raise Fault(
                    f"{address} has {shape}, so it is several.",
                    hint=f"Choose one, {address}[{0 if shape == 'count' else 'KEY'}], or all, {address}[*].",
                    code="unknown_reference",
                )
            if resource.repetition.for_each is MISSING:
                return [instance.title() for instance in instances]
            return {_key(instance): instance.title() for instance in instances}
        frame.dependencies.add(chosen.address)
        if not steps:
            return chosen.title()
        if frame.in_references:
            names = [step for step in steps if isinstance(step, str)]
            if len(names) == len(steps) and (len(names) == 1 or names[0] in ("column", "columns")):
                return chosen.reference(names[0] if len(names) == 1 else names[1])
            raise Fault("references names a table and a column.", hint=f"Write {address}.COLUMN.")
        first = steps[0]
        key = first if isinstance(first, str) else evaluate(first.key, frame)
        return step_into(chosen.member(key, frame), steps[1:], frame)

    def _bare_reference(self, root: str, steps: tuple[Step, ...], frame: Frame) -> Any:
        """Resolve `references = users.id`, users being a label or a name, else taken literally."""
        owner = frame.variables.get("\0owner")
        resource = self._named(root, owner)
        if resource is not None and (resource.repetition.single or (steps and isinstance(steps[0], Index))):
            return self._reach(resource, steps, frame)
        if len(steps) > 1 or not all(isinstance(step, str) for step in steps):
            raise Fault(f"There is nothing called {root[:60]}.", hint="references is TABLE.COLUMN.")
        return f"{root}({steps[0]})" if steps else root

    def _named(self, name: str, owner: Any) -> Resource | None:
        """Return the table with a label or literal name, of the same provider as the resource `owner`."""
        provider = owner.split("_", 1)[0] if isinstance(owner, str) else ""
        candidates = [
            (type_, by_name)
            for type_, by_name in self.module.resources.items()
            if type_.split("_", 1)[0] == provider and (type_ == owner or type_.endswith("table"))
        ]
        for _, by_name in candidates:
            if name in by_name:
                return by_name[name]
        if self._by_name is None:
            self._by_name = {}
            for by_label in self.module.resources.values():
                for resource in by_label.values():
                    written = resource.entries.get("name")
                    if isinstance(written, str):
                        self._by_name.setdefault(written, resource)
        found = self._by_name.get(name)
        return found if found is not None and any(found.type == type_ for type_, _ in candidates) else None

    # Variables, locals, outputs

    def variable(self, declared: Variable, into: Frame | None) -> Any:
        """Return the value of a variable, converted and validated."""
        return self.session.once(
            ("var", self.prefix, declared.name),
            f"{self.prefix}var.{declared.name}",
            self.frame(),
            lambda frame: self._variable(declared, frame),
            lambda: (None, declared.location),
            into,
        )

    def _variable(self, declared: Variable, frame: Frame) -> Any:
        value, origin = self._given(declared, frame)
        try:
            value = convert(value, declared.type)
        except Fault as fault:
            raise Fault(
                f"variable {declared.name}, from {origin}: {fault.message}", hint=fault.hint, code=fault.code
            ) from None
        inner, hidden = open_mark(value)
        if inner is None and not declared.nullable:
            raise Fault(f"variable {declared.name} cannot be null.", code="null_value")
        if declared.sensitive or hidden:
            self.session.secrets.extend(texts_in(inner))
            value = Sensitive(inner)
        known = frame.with_variables(var={declared.name: value})
        for number, validation in enumerate(declared.validations):
            self._validate(declared, validation.condition, validation.message, known, number)
        return value

    def _given(self, declared: Variable, frame: Frame) -> tuple[Any, str]:
        if self.parent is not None and self.call is not None:
            node = self.call.inputs.get(declared.name, MISSING)
            if node is not MISSING:
                outer = Frame(self.parent, self.parent.calls, self.variables, frame.dependencies)
                try:
                    value = evaluate(node, outer)
                except Fault as fault:
                    self.session.report(fault, self.call.source, self.call.place(declared.name))
                    return UNKNOWN, "an expression"
                if value is not None or declared.nullable:
                    return value, f"module {self.call.name}"
        elif declared.name in self.inputs:
            given = self.inputs[declared.name]
            if declared.sensitive:
                self.session.secrets.extend(texts_in(given.value))
            if not given.is_text:
                return given.value, given.origin
            try:
                return read_text(given.value, declared.type), given.origin
            except Fault as fault:
                message = f"variable {declared.name}, from {given.origin}: {fault.message}"
                raise Fault(message, hint=fault.hint, code=fault.code) from None
        if declared.default is not MISSING:
            try:
                return evaluate(declared.default, self.frame()), "its default"
            except Fault as fault:
                fault.message = f"The default of variable {declared.name}: {fault.message}"
                self.session.report(fault, declared.source, declared.place("default"))
                return UNKNOWN, "its default"
        if self.call is not None:
            raise Fault(
                f"module {self.call.name} needs {declared.name}.",
                hint=f"Set it in the module block: {declared.name} = ...",
                code="missing_variable",
            )
        raise Fault(
            f"variable {declared.name} has no value.",
            hint=f"Give it with -var {declared.name}=VALUE, the environment variable "
            f"{VARIABLE_PREFIX}{declared.name}, a line in kolumn.klvars, or a default.",
            code="missing_variable",
        )

    def _validate(
        self, declared: Variable, condition: Value, message: Value, frame: Frame, number: int
    ) -> None:
        try:
            result, _ = open_mark(evaluate(condition, frame))
            if isinstance(result, Unknown) or to_bool(result):
                return
            said, hidden = open_mark(evaluate(message, frame))
            text = "" if hidden or not isinstance(said, str) else f" {said[:500]}"
            fault = Fault(f"variable {declared.name} is not valid:{text or ' its condition is false.'}")
            fault.code = "invalid_variable"
            self.session.report(fault, None, declared.place("validation", number))
        except Fault as fault:
            self.session.report(fault, declared.source, declared.place("validation", number))

    def local(self, declared: Local, into: Frame | None) -> Any:
        """Return the value of a local."""
        if not isinstance(declared.value, Expression):
            return declared.value
        return self.session.once(
            ("local", self.prefix, declared.name),
            f"{self.prefix}local.{declared.name}",
            self.frame(),
            lambda frame: entry(declared.name, declared.value, frame),
            lambda: (declared.source, declared.place(declared.name)),
            into,
        )

    def output(self, declared: Output, into: Frame | None) -> Any:
        """Return the value of an output; marked when it is declared sensitive."""
        value = self.session.once(
            ("output", self.prefix, declared.name),
            f"{self.prefix}output.{declared.name}",
            self.frame(),
            lambda frame: evaluate(declared.value, frame),
            lambda: (declared.source, declared.place("value")),
            into,
        )
        return Sensitive(value) if declared.sensitive and not isinstance(value, Sensitive) else value

    def all_outputs(self, into: Frame | None) -> dict[str, Any]:
        """Return all outputs by name."""
        return {name: self.output(declared, into) for name, declared in self.module.outputs.items()}

    # Instances

    def instances(self, declared: Resource) -> list[Instance]:
        """Return the instances of a block, one without a key when it is not repeated."""
        found = self._instances.get(id(declared))
        if found is None:
            found = [
                Instance(self, declared, key, {**variables, "\0owner": declared.type})
                for key, variables in self._repeat(declared.repetition, declared, declared.name)
            ]
            self._instances[id(declared)] = found
        return found

    def children(self, call: ModuleCall) -> list[Scope]:
        """Return the instances of a module call."""
        found = self._children.get(call.name)
        if found is None:
            found = []
            if call.module is not None:
                for key, variables in self._repeat(call.repetition, call, f"module.{call.name}"):
                    scope = Scope(self.session, call.module, self, call, key)
                    scope.variables = variables
                    found.append(scope)
            self._children[call.name] = found
        return found

    def expansion_dependencies(self, declared: Declaration) -> frozenset[str]:
        """Return the addresses that count or for_each of a block refer to."""
        frame = self.frame()
        list(self._repeat(getattr(declared, "repetition"), declared, "", frame))  # noqa: B009 - two kinds of block
        return frozenset(frame.dependencies)

    def _repeat(
        self, repetition: Repetition, declared: Declaration, name: str, into: Frame | None = None
    ) -> Iterator[tuple[Any, dict[str, Any]]]:
        if repetition.single:
            yield None, {}
            return
        counted = repetition.count is not MISSING
        attribute = "count" if counted else "for_each"
        node = repetition.count if counted else repetition.for_each
        value = self.session.once(
            (attribute, self.prefix, id(declared)),
            f"{self.prefix}{name}.{attribute}",
            self.frame(),
            lambda frame: _checked(attribute, evaluate(node, frame), self.session.budget),
            lambda: (declared.source, declared.place(attribute)),
            into,
        )
        if isinstance(value, Unknown):
            unknown = {"index": UNKNOWN} if counted else {"key": UNKNOWN, "value": UNKNOWN}
            yield UNKNOWN, {"count" if counted else "each": unknown}
        elif counted:
            for number in range(value):
                yield number, {"count": {"index": number}}
        else:
            for key, item in iterate(value):
                yield key, {"each": {"key": key, "value": item}}

    def discovery(self, instance: Instance, into: Frame | None) -> Any:
        """Return what a `discover` block found."""
        declared = instance.declared
        address = discover_address(instance)
        return self.session.once(
            ("discover", address),
            address,
            instance.frame(),
            lambda frame: self._discovered(instance, address, frame),
            lambda: (declared.source, declared.location),
            into,
        )

    def _discovered(self, instance: Instance, address: str, frame: Frame) -> Any:
        session, declared = self.session, instance.declared
        filters = {name: bare(instance.attribute(name, frame), session.budget) for name in declared.entries}
        frame.dependencies.clear()
        if session.discover is None or any(is_marked(value, session.budget)[1] for value in filters.values()):
            return UNKNOWN
        if session.problems:
            return UNKNOWN
        session.discovered = True
        provider = self.provider_of(declared)
        wanted = DiscoverConfig(address, declared.type, instance.name, provider, filters, declared.location)
        try:
            return dict(session.discover(wanted))
        except ValidationError as error:
            problems = error.problems or (Problem(error.message, error.code),)
            session.problems += [item.at(resource=address, location=declared.location) for item in problems]
            return UNKNOWN

    def provider_of(self, declared: Resource) -> str:
        """Return the address of the provider a block uses. Raises Fault when it is not configured."""
        kind = declared.type.split("_", 1)[0]
        for address in self.session.provider_addresses:
            if declared.type.startswith(f"{address}_") and len(address) > len(kind):
                kind = address
        address = declared.provider or kind
        if address.split(".")[0] != kind:
            raise Fault(
                f"{declared.type} belongs to the provider {kind}, not {address[:60]}.", code="wrong_provider"
            )
        scope: Scope | None = self
        while scope is not None and scope.call is not None:
            address = scope.call.providers.get(address, address)
            scope = scope.parent
        if "." in address and address not in self.session.provider_addresses:
            raise Fault(
                f"There is no provider {address[:60]}.",
                hint=did_you_mean(
                    address,
                    self.session.provider_addresses,
                    f'Declare it: provider "{kind}" {{ alias = "{address.partition(".")[2][:60]}" }}.',
                ),
                code="unknown_provider",
            )
        return address

    def render(self, name: str, text: str, variables: Mapping[str, Any], context: CallContext) -> Any:
        """Render a template file with nothing but the given variables."""
        resolver = _TemplateNames(name)
        try:
            node = parse_template(Source("", text))
            return evaluate(node, Frame(resolver, context, dict(variables)))
        except Fault as fault:
            row = text.count("\n", 0, max(fault.start, 0)) + 1
            raise Fault(
                f"{name[:200]}, line {row}: {fault.message}", hint=fault.hint, code=fault.code
            ) from None


class _TemplateNames:
    """Resolver of a template file: it knows only the variables handed over."""

    def __init__(self, name: str) -> None:
        self.name = name

    def resolve(self, traversal: Traversal, frame: Frame) -> Any:
        """Raise Fault: there are no other names."""
        raise Fault(
            f"The template has no variable {traversal.root[:60]}.",
            traversal.start,
            traversal.end,
            hint=did_you_mean(traversal.root, frame.variables, "Pass it to templatefile()."),
            code="unknown_reference",
        )


_RESOLVERS: Mapping[str, Callable[[Scope, tuple[Step, ...], Frame], Any]] = {
    "var": Scope._var,  # noqa: SLF001 - the class's own table
    "local": Scope._local,  # noqa: SLF001
    "path": Scope._path,  # noqa: SLF001
    "each": Scope._repeated,  # noqa: SLF001
    "count": Scope._repeated,  # noqa: SLF001
    "module": Scope._module,  # noqa: SLF001
    "discover": Scope._discover,  # noqa: SLF001
}


def _checked(attribute: str, value: Any, budget: Budget) -> Any:
    """Return a count or for_each value that can be used. Raises Fault."""
    if isinstance(value, Sensitive) or (isinstance(value, list) and is_marked(value, budget)[0]):
        raise Fault(
            f"{attribute} cannot depend on a sensitive value: it shows in addresses.", code="sensitive_key"
        )
    if isinstance(value, Unknown):
        return value
    if attribute == "count":
        if value is None:
            raise Fault("count is null.", code="null_value")
        number = to_whole(value)
        if not 0 <= number <= MAX_ITEMS:
            raise Fault(f"count is between 0 and {MAX_ITEMS:,}.", code="out_of_range")
        return number
    if isinstance(value, SetValue):
        if not all(isinstance(item, str) for item in value):
            raise Fault("A set for for_each has texts in it.", hint="Convert them with tostring().")
        return value
    if isinstance(value, dict):
        return value
    hint = "Write toset(...) around it." if isinstance(value, list) else ""
    raise Fault(f"for_each is a map or a set of texts, not {type_name(value)}.", hint=hint, code="wrong_type")


def _key(instance: Instance) -> Any:
    """Return the key of a repeated instance."""
    variables = instance.variables
    if "count" in variables:
        return variables["count"]["index"]
    return variables["each"]["key"] if "each" in variables else None


def discover_address(instance: Instance) -> str:
    """Return `discover.existing`, with the module and the key."""
    prefix = instance.scope.prefix
    return f"{prefix}discover.{instance.name[len(prefix) :]}"


def _with_key(items: list[Any], keys: list[Any], step: Index, address: str, frame: Frame) -> Any:
    key, _ = open_mark(evaluate(step.key, frame))
    if isinstance(key, Unknown) or any(isinstance(item, Unknown) for item in keys):
        return UNKNOWN
    if keys and isinstance(keys[0], int) and isinstance(key, (int, str)) and not isinstance(key, bool):
        key = to_whole(key)
    if key in keys:
        return items[keys.index(key)]
    known = [str(item) for item in keys]
    hint = did_you_mean(str(key), known, f"It has {len(known)} instances.")
    raise Fault(
        f"{address} has no instance [{key_text(key) if isinstance(key, (int, str)) else '?'}].", hint=hint
    )


def _follow_outputs(scope: Scope, steps: tuple[Step, ...], frame: Frame) -> Any:
    if not steps:
        return scope.all_outputs(frame)
    first = steps[0]
    name = first if isinstance(first, str) else first.key
    if not isinstance(name, str):
        return step_into(scope.all_outputs(frame), steps, frame)
    declared = scope.module.outputs.get(name)
    if declared is None:
        known = scope.module.outputs
        title = scope.call.name if scope.call else ""
        raise Fault(
            f"module {title} has no output {name[:60]}.",
            hint=did_you_mean(name, known),
            code="unknown_reference",
        )
    return step_into(scope.output(declared, frame), steps[1:], frame)
