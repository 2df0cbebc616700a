"""Handlers: the code for one resource type of one provider, registered once for create and discover."""

from __future__ import annotations

import builtins
import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from kolumn.contract.errors import Problem, ValidationError
from kolumn.contract.schema import AttributeSchema, ObjectType, ResourceTypeDefinition
from kolumn.engine import declaration, parsing, rewriting
from kolumn.engine.operations import Create, Drop, Operation, Rename
from kolumn.engine.resource import Ref, Snapshot

M = TypeVar("M")


class Handler(Protocol[M]):
    """One resource type. Pure: everything it says follows from its arguments."""

    @property
    def type(self) -> str:
        """Resource type without provider prefix, e.g. `table`."""

    @property
    def model(self) -> builtins.type[Any]:
        """The declared class of its models."""

    @property
    def description(self) -> str:
        """One sentence for the schema."""

    @property
    def parts(self) -> bool:
        """Whether the database knows objects of this type as parts of others (see `part_of`)."""

    @property
    def completed_from(self) -> frozenset[str]:
        """The resource types whose objects are copied into this one (see `completed`): it changes with them."""

    def definition(self) -> ResourceTypeDefinition:
        """Return the type's config and state schema (spec 7.2)."""

    def parse(self, config: Mapping[str, Any], name: str) -> M:
        """Return the model `config` declares; `name` is used where it has no name of its own.

        Raises ValidationError with every fault in one go.
        """

    def config(self, model: M) -> dict[str, Any]:
        """Return the configuration of `model`: parse's inverse, which import writes."""

    def ref(self, model: M) -> Ref:
        """Return what identifies the object in the database."""

    def former(self, model: M) -> Ref | None:
        """Return what the object was called before, if configuration says it was renamed."""

    def former_names(self, model: M) -> Mapping[str, str]:
        """Return what parts of the object were called before, by path, as configuration says."""

    def uses(self, model: M) -> frozenset[Ref]:
        """Return what must exist before the object can."""

    def aliases(self, model: M) -> frozenset[Ref]:
        """Return further refs by which others may mean it, e.g. a function without its arguments."""

    def completed(self, model: M, other: Callable[[Ref], Any]) -> M:
        """Return a wanted `model` with what it leaves to others, e.g. the key a foreign key refers to.

        `other` gives the model of another object as it should become, else as it is, None if there is none.
        """

    def created(self, model: M) -> Create:
        """Return the creation of the object."""

    def dropped(self, model: M) -> Drop:
        """Return the drop of the object."""

    def implied(self, model: M, live: Snapshot) -> M | None:
        """Return what holds anyway of what the model is about, where the database lists no such object.

        None where nothing does: e.g. the table that a grant is on is not there.
        """

    def explicit(self, model: M) -> M:
        """Return a live model with all said that silence would leave alone, so that it can be brought back."""

    def concealed(self, model: M) -> Mapping[str, str]:
        """Return what a live model holds that nobody may read, by attribute, e.g. the verifier of a password.

        Only its keyed digest is kept, to tell later that it is another one.
        """

    def normal(self, model: M) -> M:
        """Return the normal form: two models with equal ones are the same to the database."""

    def diff(self, live: M | None, wanted: M | None) -> list[Operation]:
        """Return the operations that lead from one to the other; none if they are the same."""

    def receiving(self, before: M, live: M | None, lost: tuple[str, ...]) -> M:
        """Return the object as it can take back the rows, or the values, that it lost as `before`.

        That is `live`, or `before` where there is none, with what was lost back in its place, but without the
        demands on it that hold only once the values are there, such as NOT NULL.
        """

    def part_of(self, model: M) -> tuple[Ref, Ref] | None:
        """Return the object that the database knows this as a part of, and what that calls the part.

        None for an object of its own. A part that is declared apart is no part of its owner's configuration
        (see `engine.planning.claims`).
        """

    def part(self, model: M, part: Ref) -> object | None:
        """Return what `part` of the object is, e.g. the default of a column; None if it has no such part."""

    def without(self, model: M, part: Ref) -> M:
        """Return `model` without one of its parts: what it is while something the part needs is away."""

    def with_part(self, model: M, part: Ref, source: M) -> M:
        """Return `model` with one of its parts as `source` has it; only where both have it."""

    def follow(self, model: M, operation: Operation) -> M:
        """Return `model` as the database leaves it when `operation` renames something it refers to.

        A planner lets live models follow the renames of a plan before it compares them. It asks only about
        operations whose subject is among what the model `uses`.
        """


class DeclaredHandler(Generic[M]):
    """A handler for a model declared with `engine.declaration`; changes mean drop and create.

    Subclasses override what their type knows better.
    """

    model: Any
    """The declared dataclass, M."""
    type: ClassVar[str]
    description: str
    renames = False
    """Whether the database can rename objects of this type in place."""
    completed_from: frozenset[str] = frozenset()
    """The resource types whose objects are copied into this one (see `completed`)."""
    parts = False
    """Whether the database knows objects of this type as parts of others (see `part_of`)."""

    def definition(self) -> ResourceTypeDefinition:
        """Return the schema that follows from the model's declaration."""
        state = {
            "identity": AttributeSchema(
                type="string", description="Qualified name in the database", required=False, computed=True
            ),
            "digest": AttributeSchema(
                type="string", description="Digest of the catalogue's entry", required=False, computed=True
            ),
        }
        state["live"] = AttributeSchema(
            type="map",
            description="Attributes that were otherwise live than asked for when it was last applied",
            required=False,
            computed=True,
        )
        return ResourceTypeDefinition(
            name=self.type,
            description=self.description,
            config_schema=declaration.object_type(self.model),
            state_schema=ObjectType(attributes=state),
        )

    def parse(self, config: Mapping[str, Any], name: str) -> M:
        """Return the declared model. Raises ValidationError with every fault."""
        if "name" not in config:
            config = {"name": name, **config}
        return self._parser.parse(config)

    @functools.cached_property
    def _parser(self) -> parsing.Parser[M]:
        return parsing.Parser(self.model, self.check)

    def check(self, grammar: str, text: str) -> Problem | None:
        """Return what is wrong with a text of a declared grammar, None if nothing is."""
        return None

    def config(self, model: M) -> dict[str, Any]:
        """Return what `parse` turns back into an equal model."""
        return parsing.config(model)

    def ref(self, model: M) -> Ref:
        """Return type, schema and name."""
        return Ref(self.type, self.fold(_text(model, "name")), self.fold(_text(model, "schema")))

    def fold(self, name: str) -> str:
        """Return `name` as the database identifies it; exactly as given unless overridden."""
        return name

    def former(self, model: M) -> Ref | None:
        """Return the ref under `renamed_from`, if that is set."""
        before = _text(model, "renamed_from")
        return self.ref(model)._replace(name=self.fold(before)) if before else None

    def former_names(self, model: M) -> Mapping[str, str]:
        """Return the `renamed_from` of the model's elements."""
        return rewriting.former_names(model)

    def uses(self, model: M) -> frozenset[Ref]:
        """Return nothing: the object stands alone."""
        return frozenset()

    def aliases(self, model: M) -> frozenset[Ref]:
        """Return nothing: the object has one ref."""
        return frozenset()

    def guesses(self, model: M) -> frozenset[Ref]:
        """Return what of `uses` was read out of a text, and may mean something else."""
        return frozenset()

    def completed(self, model: M, other: Callable[[Ref], Any]) -> M:
        """Return the model itself: it says all by itself."""
        return model

    def created(self, model: M) -> Create:
        """Return the creation of the object, after what it uses."""
        return Create(
            subject=self.ref(model),
            model=model,
            uses=self.uses(model),
            guesses=self.guesses(model),
            provides=self.aliases(model),
        )

    def dropped(self, model: M) -> Drop:
        """Return the drop of the object, before what it uses."""
        return Drop(
            subject=self.ref(model),
            model=model,
            uses=self.uses(model),
            guesses=self.guesses(model),
            removes=self.aliases(model),
        )

    def renamed(self, live: M, renamed: M) -> Rename:
        """Return the renaming of the object, whose models are alike but for the name."""
        return Rename(
            subject=self.ref(live),
            before=live,
            after=renamed,
            target=self.ref(renamed),
            removes=self.aliases(live),
            provides=self.aliases(renamed),
        )

    def implied(self, model: M, live: Snapshot) -> M | None:
        """Return nothing: what the database does not list is not there."""
        return None

    def explicit(self, model: M) -> M:
        """Return the model itself: it says all there is."""
        return model

    def concealed(self, model: M) -> Mapping[str, str]:
        """Return nothing: all that is live may be read."""
        return {}

    def normal(self, model: M) -> M:
        """Return the model itself, without its hints."""
        return model

    def diff(self, live: M | None, wanted: M | None) -> list[Operation]:
        """Return a rename, a drop, a creation, or a drop and a creation."""
        if live is None and wanted is None:
            return []
        if live is None:
            assert wanted is not None
            return [self.created(wanted)]
        if wanted is None:
            return [self.dropped(live)]
        operations: list[Operation] = []
        before, after = self.ref(live), self.ref(wanted)
        if before != after and self.renames:
            renamed = self.with_name(live, _text(wanted, "name"))
            operations.append(self.renamed(live, renamed))
            live, before = renamed, after
        if before != after or (live != wanted and self.normal(live) != self.normal(wanted)):
            operations += self.replace(live, wanted)
        return operations

    def replace(self, live: M, wanted: M) -> list[Operation]:
        """Return the change between two models of one name: drop and create unless overridden."""
        return [self.dropped(live), self.created(wanted)]

    def receiving(self, before: M, live: M | None, lost: tuple[str, ...]) -> M:
        """Return the object as it is, else as it was."""
        return before if live is None else live

    def part_of(self, model: M) -> tuple[Ref, Ref] | None:
        """Return None: it is an object of its own."""
        return None

    def part(self, model: M, part: Ref) -> object | None:
        """Return None: the object has no parts that can be away while it stays."""
        return None

    def without(self, model: M, part: Ref) -> M:
        """Return the model itself."""
        return model

    def with_part(self, model: M, part: Ref, source: M) -> M:
        """Return the model itself."""
        return model

    def follow(self, model: M, operation: Operation) -> M:
        """Return the model itself: it refers to nothing by name."""
        return model

    def with_name(self, model: M, name: str) -> M:
        """Return the model under another name."""
        return dataclasses.replace(model, name=name)  # type: ignore[type-var]


def _text(model: object, field: str) -> str:
    value = getattr(model, field, "")
    return value if isinstance(value, str) else ""


class Registry:
    """The resource types of one provider. One registration serves create and discover (spec 6.2)."""

    def __init__(self, provider: str, refused: Mapping[str, str]) -> None:
        self._provider = provider
        self._refused = refused
        self._handlers: dict[str, Handler[Any]] = {}
        self._spelled: dict[str, Handler[Any]] = {}

    def register(self, handler: Handler[Any]) -> None:
        """Add a handler. Raises ValueError for a second one of the same type: a programming error."""
        if handler.type in self._handlers:
            raise ValueError(f"resource type {handler.type} is registered twice")
        self._handlers[handler.type] = handler
        self._spelled[handler.type] = self._spelled[f"{self._provider}_{handler.type}"] = handler

    def __iter__(self) -> Iterator[Handler[Any]]:
        return iter(self._handlers.values())

    def types(self) -> tuple[str, ...]:
        """Return the registered types, sorted."""
        return tuple(sorted(self._handlers))

    def get(self, resource_type: str) -> Handler[Any]:
        """Return the handler of a type, with or without the provider's prefix.

        Raises ValidationError for a type that is not registered, saying so if the database lacks it.
        """
        handler = self._spelled.get(resource_type)
        if handler is not None:
            return handler
        bare = resource_type.removeprefix(f"{self._provider}_")
        if bare in self._refused:
            message, code = f"{self._provider} has no {bare}: {self._refused[bare]}", "refused_resource_type"
        else:
            message = f"unsupported resource type: {resource_type[:100]} (known: {', '.join(self.types())})"
            code = "unsupported_resource_type"
        raise ValidationError(
            message, code=code, problems=[Problem(message, code=code, path="resource_type")]
        )
