"""Reads a folder of configuration and the folders of its modules, all faults at once."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kolumn.config.configuration import Arguments, Configuration, files_of
from kolumn.config.declarations import Declarer, Module, Resource
from kolumn.config.diagnostics import Fault, Source
from kolumn.config.positions import parse_source
from kolumn.config.variables import Input, collect_inputs
from kolumn.contract.errors import Location, Problem, ValidationError
from kolumn.contract.schema import singular

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_MODULE_DEPTH: Final = 20


@dataclass(frozen=True)
class Loaded:
    """Parsed files of a project."""

    root: Module
    inputs: Mapping[str, Input]
    warnings: tuple[Problem, ...]
    folders: tuple[Path, ...]
    """Folders of the root and all modules."""


def load(
    folder: Path,
    *,
    var: Sequence[tuple[str, str]] = (),
    var_files: Sequence[Path | str] = (),
    arguments: Sequence[tuple[str, str]] = (),
    environ: Mapping[str, str] | None = None,
) -> Configuration:
    """Read and parse all files of a project.

    `var` are (name, value) pairs and win over `var_files`; to keep the order of a command line give
    `arguments` instead: ("var", "name=value") and ("var-file", path) pairs, later ones win. `environ`
    (default: the process's) gives `KOLUMN_VAR_name`. Raises ValidationError with all faults.
    """
    configuration = Configuration(folder, Arguments.of(var, var_files, arguments, environ))
    _ = configuration.loaded
    return configuration


def read_source(path: Path, *, private: bool = False) -> Source:
    """Read a file as text: UTF-8, a byte order mark and CRLF allowed. Raises ValidationError."""
    shown = str(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ValidationError.of(
            [Problem(f"{shown} cannot be read: {error.strerror}.", code="unreadable_file")]
        ) from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problem = Problem(
            "This file is not UTF-8 text.",
            code="bad_encoding",
            hint="Save it as UTF-8.",
            location=Location(shown, line),
        )
        raise ValidationError.of([problem]) from None
    return Source(shown, text.replace("\r\n", "\n") if "\r" in text else text, private=private)


def load_files(configuration: Configuration) -> Loaded:
    """Parse everything. Raises ValidationError with every fault."""
    return _Loader(configuration).load()


class _Loader:
    """Collects modules and faults."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.problems: list[Problem] = []
        self.modules: dict[Path, Module] = {}

    def load(self) -> Loaded:
        folder = self.configuration.folder
        if not files_of(folder):
            missing = "is no folder" if not folder.is_dir() else "has no .kl file"
            problem = Problem(
                f"{folder} {missing}.",
                code="no_configuration",
                hint="Run kolumn init for a new project, or kolumn import to describe a database.",
            )
            raise ValidationError.of([problem])
        root = self._module(folder, ())
        inputs, warnings, problems = collect_inputs(
            folder,
            root.variables,
            self.configuration.arguments.var,
            self.configuration.arguments.environ,
            read_source,
        )
        self.problems += problems
        if self.problems:
            raise ValidationError.of(self.problems)
        return Loaded(root, inputs, tuple(warnings), tuple(self.modules))

    def _module(self, folder: Path, chain: tuple[Path, ...]) -> Module:
        key = Path(os.path.abspath(folder))  # noqa: PTH100 - as written, links kept
        if key in self.modules:
            return self.modules[key]
        declarer = Declarer(folder)
        self.modules[key] = declarer.module
        sources = []
        for path in files_of(folder):
            try:
                source = read_source(path)
            except ValidationError as error:
                self.problems += error.problems
                continue
            sources.append(source)
            blocks, problems = parse_source(source)
            self.problems += problems
            declarer.add(source, blocks)
        self.problems += declarer.problems
        declarer.module.sources = tuple(sources)
        self._calls(declarer.module, (*chain, key))
        if chain:
            self._only_in_root(declarer.module)
        return declarer.module

    def _calls(self, module: Module, chain: tuple[Path, ...]) -> None:
        for call in module.calls.values():
            folder = Path(os.path.normpath(module.folder / call.folder))
            key = Path(os.path.abspath(folder))  # noqa: PTH100 - as written, links kept
            fault: Fault | None = None
            if key in chain or len(chain) > MAX_MODULE_DEPTH:
                fault = Fault(f"module {call.name} contains itself.", code="cycle")
            elif not files_of(folder):
                fault = Fault(
                    f"module {call.name}: {call.folder} has no .kl file.",
                    hint="The source is a folder, relative to the file it is written in.",
                    code="bad_source",
                )
            if fault is not None:
                self.problems.append(fault.problem(call.source, call.place("source")))
            else:
                call.module = self._module(folder, chain)

    def _only_in_root(self, module: Module) -> None:
        for provider in module.providers.values():
            self.problems.append(
                Problem(
                    "A provider is configured in the project's own folder, not in a module.",
                    code="misplaced_block",
                    hint="Move it there; modules use the project's providers.",
                    location=provider.location,
                )
            )
        rules = [*module.policies.values(), module.builtin_policies]
        self.problems += [
            Problem(
                "Policies stand in the project's own folder, not in a module.",
                code="misplaced_block",
                hint="Move it there; it is asked about the resources of all modules.",
                location=rule.location,
            )
            for rule in rules
            if rule is not None
        ]


def locate(configuration: Configuration, address: str, path: str = "") -> Location | None:
    """Return where attribute `path` of a resource stands, falling back to the nearest parent that is written.

    `path` is like `columns.id.type`, `column.id.type` or `columns[2].type`. None when there is no such
    resource. Files are parsed again for it, once.
    """
    try:
        declared = find(configuration.root, address)
    except ValidationError:
        return None
    if declared is None:
        return None
    return declared.place(*_spelled(declared, split_path(path)))


def find(module: Module, address: str) -> Resource | None:
    """Return the block behind the address of a resource or a `discover`."""
    keyed = _without_keys(address)
    while len(keyed) > 2 and keyed[0] == "module":
        call = module.calls.get(keyed[1])
        if call is None or call.module is None:
            return None
        module, keyed = call.module, keyed[2:]
    if len(keyed) != 2:
        return None
    if keyed[0] == "discover":
        return module.discovered.get(keyed[1])
    return module.resources.get(keyed[0], {}).get(keyed[1])


def _without_keys(address: str) -> list[str]:
    """Split an address at its dots, instance keys left out."""
    return re.sub(r'\[(?:[0-9]+|"(?:[^"\\]|\\.)*")\]', "", address).split(".")


def split_path(path: str) -> tuple[str | int, ...]:
    """Split `columns[2].type` or `column["a b"].x` into its steps."""
    steps: list[str | int] = []
    for match in re.finditer(r'\[([0-9]+)\]|\["((?:[^"\\]|\\.)*)"\]|([^.\[\]]+)', path):
        if match[1]:
            steps.append(int(match[1]))
        elif match[2] is not None:
            steps.append(re.sub(r"\\(.)", r"\1", match[2]))
        else:
            steps.append(match[3])
    return tuple(steps)


def _spelled(declared: Resource, steps: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Return the steps in the spelling the block uses: `columns` may be written as blocks `column`."""
    if not steps or not isinstance(steps[0], str):
        return steps
    block = singular(steps[0])
    written = next((name for name in declared.entries if singular(str(name)) == block), None)
    if written is None:
        return steps
    rest = steps[1:]
    value = declared.entries[written]
    if rest and isinstance(value, dict) and isinstance(rest[0], int) and rest[0] < len(value):
        rest = (list(value)[rest[0]], *rest[1:])
    elif rest and isinstance(value, list) and isinstance(rest[0], str):
        given = [item.get("name") if isinstance(item, dict) else None for item in value]
        if rest[0] in given:
            rest = (given.index(rest[0]), *rest[1:])
    return (written, *rest)
