"""From a parsed configuration to a Project."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kolumn.config.bodies import entry
from kolumn.config.collector import collector_paused
from kolumn.config.declarations import Declaration, Resource, key_text, traversal_text
from kolumn.config.diagnostics import Fault, did_you_mean
from kolumn.config.functions.conversions import texts_in
from kolumn.config.project import (
    Discover,
    Moved,
    OutputValue,
    Project,
    ProviderConfig,
    ResourceConfig,
)
from kolumn.config.scope import Instance, Scope
from kolumn.config.session import Session
from kolumn.config.syntax import Expression, Traversal, Value
from kolumn.config.values import Budget, Sensitive, bare, is_marked
from kolumn.contract.errors import ValidationError

if TYPE_CHECKING:
    from kolumn.config.configuration import Configuration
    from kolumn.config.evaluator import Frame


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A project and whether evaluating it again must give the same."""

    project: Project
    pure: bool
    literal: bool
    """Whether everything in it is as it was written: texts, finite numbers, and lists and maps of them."""


def evaluate(configuration: Configuration, discover: Discover | None = None) -> Project:
    """Evaluate everything. Raises ValidationError with all faults in one go.

    `discover` is called once per `discover` block, in the order they need each other, and returns what
    was found; errors it raises other than ValidationError pass through. Without it, results of `discover`
    are UNKNOWN: attributes that need them are UNKNOWN in the project, and a resource whose count or
    for_each is unknown appears once, with [?] as its key.
    """
    return evaluate_fully(configuration, discover).project


def evaluate_providers(configuration: Configuration) -> tuple[ProviderConfig, ...]:
    """Evaluate the provider blocks alone, for opening connections before `discover` needs them.

    Raises ValidationError.
    """
    session, root = _begin(configuration, None)
    providers = _providers(session, root)
    if session.problems:
        raise ValidationError.of(session.problems)
    return providers


def evaluate_fully(configuration: Configuration, discover: Discover | None = None) -> Evaluated:
    """Evaluate everything; also tell whether the result may be cached."""
    with collector_paused():
        return _evaluate(configuration, discover)


def _begin(configuration: Configuration, discover: Discover | None) -> tuple[Session, Scope]:
    loaded = configuration.loaded
    session = Session(configuration.folder, configuration.arguments.environ, discover)
    session.provider_addresses = frozenset(loaded.root.providers)
    root = Scope(session, loaded.root, None, None, None)
    root.inputs = loaded.inputs
    return session, root


def _evaluate(configuration: Configuration, discover: Discover | None) -> Evaluated:
    session, root = _begin(configuration, discover)
    for scope in _every_scope(root):
        for variable in scope.module.variables.values():
            scope.variable(variable, None)
    providers = _providers(session, root)
    resources: list[ResourceConfig] = []
    moved: list[Moved] = []
    for scope in _every_scope(root):
        _check_inputs(session, scope)
        for local in scope.module.locals.values():
            scope.local(local, None)
        for declared in scope.module.discovered.values():
            for instance in scope.instances(declared):
                scope.discovery(instance, None)
        inherited = _inherited(session, scope)
        for by_name in scope.module.resources.values():
            for declared in by_name.values():
                resources.extend(_resources(session, scope, declared, inherited))
        moved.extend(
            Moved(scope.prefix + item.before, scope.prefix + item.after, item.location)
            for item in scope.module.moved
        )
    outputs = _outputs(session, root)
    settings = _settings(session, root)
    if root.module.policies:
        from kolumn.config.policies import policies

        settings["policies"] = policies(session, root)
    if root.module.builtin_policies is not None:
        from kolumn.config.policies import builtin_choice

        settings["builtin_policies"] = builtin_choice(session, root)
    if session.problems:
        raise ValidationError.of(session.problems)
    secrets = tuple(dict.fromkeys(session.secrets))
    project = Project(
        str(configuration.folder), providers, tuple(resources), outputs, tuple(moved), secrets, **settings
    )
    pure = not (session.impure or session.discovered or secrets or root.module.discovered)
    pure = pure and not any(scope.module.discovered for scope in _every_scope(root))
    return Evaluated(project, pure, literal=not session.computed)


def _every_scope(scope: Scope) -> Iterator[Scope]:
    """Return a module instance and all below it."""
    yield scope
    for call in scope.module.calls.values():
        for child in scope.children(call):
            yield from _every_scope(child)


def _check_inputs(session: Session, scope: Scope) -> None:
    call = scope.call
    if call is not None:
        for name in call.inputs:
            if name not in scope.module.variables:
                hint = did_you_mean(name, scope.module.variables)
                fault = Fault(
                    f"module {call.name} has no variable {name[:60]}.", hint=hint, code="unknown_variable"
                )
                session.report(fault, None, call.place(name))


def _providers(session: Session, root: Scope) -> tuple[ProviderConfig, ...]:
    result = []
    for declared in root.module.providers.values():
        config: dict[str, Any] = {}
        for name, node in declared.entries.items():
            value = _entry(session, root.frame(), name, node, declared)
            if is_marked(value, session.budget)[1] and not session.problems:
                fault = Fault(
                    f"provider {declared.address}: {name} depends on what a provider has to discover."
                )
                session.report(fault, None, declared.place(name))
            config[name] = _plain(bare(value, session.budget), session.budget)
        result.append(ProviderConfig(declared.type, declared.alias, config, declared.location))
    return tuple(result)


def _entry(session: Session, frame: Frame, name: str, node: Value, declared: Declaration) -> Any:
    """Evaluate one attribute of a block; a fault is reported and leaves None."""
    if not isinstance(node, Expression):
        return node
    session.computed = True
    try:
        return entry(name, node, frame)
    except Fault as fault:
        session.report(fault, declared.source, declared.place(name))
    except RecursionError:
        session.report(Fault("Nested too deeply.", code="too_deep"), None, declared.place(name))
    return None


def _inherited(session: Session, scope: Scope) -> frozenset[str]:
    """Return what all resources of a module depend on: its depends_on and repetition, and its parents'."""
    if scope.parent is None or scope.call is None:
        return frozenset()
    found = set(_named(session, scope.parent, scope.call, scope.call.depends_on))
    found |= scope.parent.expansion_dependencies(scope.call)
    return frozenset(found) | _inherited(session, scope.parent)


def _resources(
    session: Session, scope: Scope, declared: Resource, inherited: frozenset[str]
) -> Iterator[ResourceConfig]:
    location = declared.location
    try:
        provider = scope.provider_of(declared)
    except Fault as fault:
        session.report(fault, None, declared.place("provider"))
        provider = declared.provider
    common = set(inherited)
    if declared.depends_on:
        common |= _named(session, scope, declared, declared.depends_on)
    if not declared.repetition.single:
        common |= scope.expansion_dependencies(declared)
    for instance in scope.instances(declared):
        yield _resource(session, instance, provider, common, location)


def _resource(
    session: Session, instance: Instance, provider: str, common: set[str], location: Any
) -> ResourceConfig:
    declared = instance.declared
    entries = declared.entries
    config: dict[str, Any] = {} if "name" in entries else {"name": declared.name}
    frame = instance.frame()
    sensitive: set[str] = set()
    for name, node in entries.items():
        if isinstance(node, Expression):
            value = instance.attribute(name, frame)
            try:
                config[name] = _exported(value, name, sensitive, session.budget)
            except Fault as fault:
                session.report(fault, None, declared.place(name))
        else:
            config[name] = node
    dependencies = (common | frame.dependencies) - {instance.address}
    return ResourceConfig(
        instance.address,
        declared.type,
        instance.name,
        provider,
        config,
        tuple(sorted(dependencies)) if dependencies else (),
        declared.lifecycle,
        frozenset(sensitive),
        location,
    )


def _exported(value: Any, path: str, sensitive: set[str], budget: Budget) -> Any:
    """Return a value as plain data; paths of what is sensitive are noted."""
    if isinstance(value, Sensitive):
        sensitive.add(path)
        return _plain(bare(value, budget), budget)
    if isinstance(value, dict):
        budget.spend(len(value))
        return {
            key: item
            if item is None or type(item) in _PLAIN
            else _exported(item, f"{path}{_step(key)}", sensitive, budget)
            for key, item in value.items()
        }
    if isinstance(value, list):
        budget.spend(len(value))
        return [
            item if type(item) in _PLAIN else _exported(item, f"{path}[{row}]", sensitive, budget)
            for row, item in enumerate(value)
        ]
    return str(value) if isinstance(value, str) else value


_PLAIN = (str, int, bool, float)


def _plain(value: Any, budget: Budget) -> Any:
    return _exported(value, "", set(), budget)


def _step(key: str) -> str:
    return f".{key}" if key.replace("-", "_").isidentifier() else f"[{key_text(key)}]"


def _named(session: Session, scope: Scope, declared: Declaration, written: tuple[Value, ...]) -> set[str]:
    """Return the addresses that a depends_on list names."""
    result: set[str] = set()
    for node in written:
        try:
            result |= _addresses(scope, node)
        except Fault as fault:
            session.report(fault, None, declared.place("depends_on"))
    return result


def _addresses(scope: Scope, node: Value) -> set[str]:
    text = traversal_text(node)
    if not isinstance(node, Traversal) or text is None:
        raise Fault(
            "depends_on is a list of resources.", hint="Write [sqlite_table.users].", code="wrong_type"
        )
    steps = [step for step in node.steps if isinstance(step, str)]
    module = scope.module
    if node.root == "module" and steps:
        call = module.calls.get(steps[0])
        if call is None:
            hint = did_you_mean(steps[0], module.calls)
            raise Fault(f"There is no module {steps[0][:60]}.", hint=hint, code="unknown_reference")
        return {
            instance.address
            for child in scope.children(call)
            for inner in _every_scope(child)
            for by_name in inner.module.resources.values()
            for declared in by_name.values()
            for instance in inner.instances(declared)
        }
    if node.root == "discover" and steps:
        if not any(name in module.discovered for name in steps[:2]):
            hint = did_you_mean(steps[0], module.discovered)
            raise Fault(f"There is no discover {steps[0][:60]}.", hint=hint, code="unknown_reference")
        return set()
    by_name = module.resources.get(node.root, {})
    if not steps or steps[0] not in by_name:
        known = [f"{type_}.{name}" for type_, names in module.resources.items() for name in names]
        hint = did_you_mean(".".join([node.root, *steps[:1]]), known)
        raise Fault(f"There is no {text[:100]}.", hint=hint, code="unknown_reference")
    instances = scope.instances(by_name[steps[0]])
    exact = [instance.address for instance in instances if instance.address == scope.prefix + text]
    return set(exact or [instance.address for instance in instances])


def _outputs(session: Session, root: Scope) -> tuple[OutputValue, ...]:
    result = []
    for declared in root.module.outputs.values():
        value = root.output(declared, None)
        hidden = is_marked(value, session.budget)[0]
        if hidden and not declared.sensitive:
            fault = Fault(
                f"output {declared.name} shows a sensitive value.",
                hint="Set sensitive = true, or wrap the value in nonsensitive().",
                code="sensitive_output",
            )
            session.report(fault, None, declared.place("value"))
        try:
            plain = _plain(bare(value, session.budget), session.budget)
        except Fault as fault:
            session.report(fault, None, declared.place("value"))
            plain = None
        if declared.sensitive:
            session.secrets.extend(texts_in(plain))
        _named(session, root, declared, declared.depends_on)
        result.append(OutputValue(declared.name, plain, declared.sensitive, declared.description))
    return tuple(result)


def _settings(session: Session, root: Scope) -> dict[str, Any]:
    """Return required_version, required_providers and state of the `kolumn` and older top-level blocks."""
    found: dict[str, Any] = {}
    for declared in root.module.settings:
        block = declared.block
        values = {
            name: _plain(
                bare(_entry(session, root.frame(), name, node, declared), session.budget), session.budget
            )
            for name, node in block.entries.items()
        }
        if block.kind == "kolumn":
            given = values
        elif block.kind == "state":
            given = {"state": {block.labels[0]: values} if block.labels else values}
        else:
            given = {block.kind: values}
        for name, value in given.items():
            if name == "required_version":
                found[name] = str(value)
            else:
                inner = value[0] if isinstance(value, list) and len(value) == 1 else value
                name = "state" if name == "backend" else name
                if isinstance(inner, Mapping):
                    found.setdefault(name, {}).update(inner)
                else:
                    session.report(
                        Fault(f"{name} is a block.", code="wrong_type"), None, declared.place(name)
                    )
    return found
