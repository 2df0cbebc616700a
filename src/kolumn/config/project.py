"""What a configuration says once it is evaluated: plain data, no expressions left.

This is the whole interface between the language and the host. Values are JSON data (dict, list,
str, int, float, bool, None); key order is the order in the file and is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, TypeAlias

import msgspec

from kolumn.contract.errors import Location


class Unknown:
    """What is not known before a database was asked: stands in for results of `discover` in `validate`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "(known after discovery)"


UNKNOWN: Final = Unknown()
"""The only Unknown. It occurs in values only when a project is evaluated without a discover callback."""


class _Part(msgspec.Struct, frozen=True, omit_defaults=True):
    """Base of what follows: immutable, compared by value, shown without what may hold secrets.

    Thousands of them come out of the cache in every command; as Structs they do so in half the time.
    """

    HIDDEN: ClassVar[frozenset[str]] = frozenset()
    """Fields left out where an object is shown."""

    def __repr__(self) -> str:
        shown = (name for name in self.__struct_fields__ if name not in self.HIDDEN)
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"


class Lifecycle(_Part, frozen=True, omit_defaults=True):
    """The `lifecycle` block of a resource."""

    prevent_destroy: bool = False
    ignore_changes: tuple[str, ...] = ()
    """Attribute paths whose differences are left alone; `("all",)` for every one."""


class ProviderConfig(_Part, frozen=True, omit_defaults=True):
    """A `provider` block, evaluated."""

    HIDDEN = frozenset({"config"})

    type: str
    """Provider name, e.g. `sqlite`."""
    alias: str = ""
    config: Mapping[str, Any] = msgspec.field(default_factory=dict)
    """Settings as evaluated; may hold secrets."""
    location: Location | None = None

    @property
    def address(self) -> str:
        """`sqlite` or, with an alias, `sqlite.replica`."""
        return f"{self.type}.{self.alias}" if self.alias else self.type


class ResourceConfig(_Part, frozen=True, omit_defaults=True):
    """One instance of a `create` block, evaluated."""

    HIDDEN = frozenset({"config"})

    address: str
    """Unique in the project: `sqlite_table.users`, `module.shop.sqlite_table.users["eu"]`."""
    type: str
    """Type with its provider as prefix: `sqlite_table`."""
    name: str
    """The address without the type, unique per type: `users`, `module.shop.users["eu"]`."""
    provider: str
    """Address of its provider: `sqlite`, `sqlite.replica`."""
    config: Mapping[str, Any]
    """Attributes and blocks; may hold secrets, see `sensitive`.

    `name` is always there; left out, it is the block's label.
    """
    depends_on: tuple[str, ...] = ()
    """Addresses it refers to or names in `depends_on`, sorted."""
    lifecycle: Lifecycle = Lifecycle()
    sensitive: frozenset[str] = frozenset()
    """Paths in `config` whose values come from something sensitive."""
    location: Location | None = None


class DiscoverConfig(_Part, frozen=True, omit_defaults=True):
    """A `discover` block, evaluated: the host asks the provider and hands back what it found."""

    HIDDEN = frozenset({"filters"})

    address: str
    """`discover.existing` or, in a module, `module.shop.discover.existing`."""
    type: str
    name: str
    provider: str
    filters: Mapping[str, Any]
    """The block's attributes and blocks; `name` is there only when it was written."""
    location: Location | None = None


Discover: TypeAlias = Callable[[DiscoverConfig], Mapping[str, Any]]
"""Asks a provider what exists and returns it; the keys are what `discover.NAME.key` can name."""


class OutputValue(_Part, frozen=True, omit_defaults=True):
    """An `output` block of the root module, evaluated."""

    HIDDEN = frozenset({"value"})

    name: str
    value: Any
    sensitive: bool = False
    description: str = ""


class Moved(_Part, frozen=True, omit_defaults=True):
    """A `moved` block: the resource at `source` is now called `target`."""

    source: str
    target: str
    location: Location | None = None


class PolicyConfig(_Part, frozen=True, omit_defaults=True):
    """A `policy` block: a rule over plans or, with an empty `subject`, settings of a built-in one.

    `when`, `condition`, `message` and `hint` are expressions as JSON data (see `predicates`).
    """

    HIDDEN = frozenset({"when", "condition", "message", "hint"})

    name: str
    subject: str = ""
    """What it is asked about: `change`, `step`, `resource`, `column` or `plan`."""
    when: Any = True
    condition: Any = False
    requires: bool = False
    """Whether the condition must be true; else it must not."""
    severity: str = ""
    """`error`, `warning` or `info`; empty where the block does not say it."""
    enabled: bool | None = None
    overridable: bool | None = None
    exceptions: tuple[str, ...] = ()
    """Patterns of addresses that it is not asked about."""
    message: Any = ""
    hint: Any = ""
    url: str = ""
    description: str = ""
    parameters: Mapping[str, Any] = msgspec.field(default_factory=dict)
    """Other attributes of the settings of a built-in policy."""
    location: Location | None = None


class Project(_Part, frozen=True, omit_defaults=True):
    """Everything a folder of configuration says."""

    HIDDEN = frozenset({"secrets", "state"})

    folder: str
    providers: tuple[ProviderConfig, ...] = ()
    resources: tuple[ResourceConfig, ...] = ()
    outputs: tuple[OutputValue, ...] = ()
    moved: tuple[Moved, ...] = ()
    secrets: tuple[str, ...] = ()
    """Texts that must not be shown: the values of sensitive variables."""
    required_version: str = ""
    """Versions of Kolumn the project accepts, e.g. `>= 0.1`."""
    required_providers: Mapping[str, Any] = msgspec.field(default_factory=dict)
    """As written in `required_providers`: provider name -> version constraint or map."""
    state: Mapping[str, Any] = msgspec.field(default_factory=dict)
    """Settings of the `state` block, as written."""
    policies: tuple[PolicyConfig, ...] = ()
    builtin_policies: str = "default"
    """Which built-in policies are on before single ones are set: `default`, `all` or `none`."""
