"""`kolumn schema`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from kolumn.cli import options
from kolumn.cli.console import Console
from kolumn.cli.render.values import value_text
from kolumn.contract.schema import AttributeSchema, ObjectType, ResourceTypeDefinition


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `schema`."""
    parser.description = "Document what a provider's resource types take, as the provider itself says."
    parser.epilog = (
        "examples:\n  kolumn schema sqlite\n  kolumn schema sqlite table\n  kolumn schema sqlite --json\n"
    )
    parser.add_argument("provider", metavar="PROVIDER")
    parser.add_argument(
        "type", nargs="?", default="", metavar="TYPE", help="with or without the provider's prefix"
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Show the schema."""
    from kolumn.host.inventory import schema_of

    with options.supplied(arguments) as supply:
        schema = schema_of(arguments.provider, arguments.type, supply)
    if console.json:
        from kolumn.cli.render.documents import plain

        console.document({"schema": plain(schema)})
        return 0
    if not arguments.type:
        console.print(f"{schema.name} {schema.version}: {schema.description}\n")
        width = max((len(each.name) for each in schema.resource_types), default=0)
        for each in schema.resource_types:
            console.print(f"  {schema.name}_{each.name:{width}}  {each.description}")
        console.print(f"\n`kolumn schema {schema.name} TYPE` documents a type.")
        return 0
    for each in schema.resource_types:
        console.print("\n".join(_type(schema.name, each, console)))
    return 0


def _type(provider: str, definition: ResourceTypeDefinition, console: Console) -> Iterator[str]:
    yield console.style.bold(f"{provider}_{definition.name}") + f"  {definition.description}"
    yield ""
    yield "Attributes:"
    yield from _attributes(definition.config_schema, console, 1)
    yield ""
    yield "State:"
    yield from _attributes(definition.state_schema, console, 1)


def _attributes(schema: ObjectType, console: Console, depth: int) -> Iterator[str]:
    margin = "  " * depth
    for name, attribute in schema.attributes.items():
        yield f"{margin}{console.style.bold(name)} ({_kind(attribute)})  {attribute.description}"
        for validator in attribute.validators:
            if validator.message:
                yield f"{margin}    {validator.message}"
        if attribute.elements is not None:
            yield from _attributes(attribute.elements, console, depth + 1)


def _kind(attribute: AttributeSchema) -> str:
    words: list[str] = [attribute.type]
    if attribute.required:
        words.append("required")
    if attribute.computed:
        words.append("computed")
    if attribute.sensitive:
        words.append("sensitive")
    if attribute.default not in (None, "", False):
        words.append(f"default {value_text(attribute.default)}")
    return ", ".join(words)
