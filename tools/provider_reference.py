"""Writes the attribute tables of the providers' documents from their own schemas.

`python -m tools.provider_reference` rewrites what stands between the two marker comments; tests/docs checks
that nothing is out of date.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from kolumn.contract.schema import AttributeSchema, ObjectType, ProviderSchema
from kolumn.host.inventory import schema_of

BEGIN = "<!-- begin: written by tools/provider_reference.py -->"
END = "<!-- end: written by tools/provider_reference.py -->"
ORDER = ("table", "index", "view", "trigger", "schema")
"""Types in the order a reader meets them; others follow by name."""
DOCUMENTS = {name: Path(f"docs/{name}.md") for name in ("duckdb", "postgres", "sqlite")}


def reference(schema: ProviderSchema) -> str:
    """Return the tables of all resource types of a provider as Markdown."""
    types = {each.name: each for each in schema.resource_types}
    ordered = [name for name in ORDER if name in types] + sorted(set(types) - set(ORDER))
    sections = []
    for name in ordered:
        lines = [f"### {schema.name}_{name}", "", f"{types[name].description}.", ""]
        lines += _table(types[name].config_schema)
        lines += _nested(types[name].config_schema, "")
        sections.append("\n".join(lines))
    return "\n\n".join(sections)


def _table(schema: ObjectType) -> Iterator[str]:
    yield "| attribute | type | meaning |"
    yield "|---|---|---|"
    for name, attribute in schema.attributes.items():
        yield f"| `{name}` | {_type(attribute)} | {_meaning(attribute)} |"


def _nested(schema: ObjectType, path: str) -> Iterator[str]:
    """Yield a table for each attribute that holds objects, except where its elements were shown already."""
    shown: list[ObjectType] = []
    for name, attribute in schema.attributes.items():
        inner = attribute.elements
        if inner is None:
            continue
        where = f"{path}.{name}" if path else name
        yield from ("", f"Inside `{where}`:", "")
        yield from _table(inner)
        for deeper, below in inner.attributes.items():
            if below.elements is not None and below.elements not in shown:
                shown.append(below.elements)
                yield from ("", f"Inside `{where}.{deeper}`, and wherever columns of a key are listed:", "")
                yield from _table(below.elements)


def _type(attribute: AttributeSchema) -> str:
    words = {"list": "list of objects", "map": "object"} if attribute.elements else {"list": "list of texts"}
    written = words.get(attribute.type, attribute.type)
    return f"{written}, required" if attribute.required else written


def _meaning(attribute: AttributeSchema) -> str:
    words = attribute.description.rstrip(".")
    for validator in attribute.validators:
        if validator.type == "enum" and isinstance(validator.value, list):
            words += ": " + ", ".join(f"`{value}`" for value in validator.value if value)
    if attribute.default not in (None, "", False):
        words += f"; default `{attribute.default}`"
    return words.replace("|", "\\|")


def with_reference(document: str, tables: str) -> str:
    """Return `document` with `tables` between the markers. Raises ValueError without the markers."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("the document lacks the marker comments")
    return f"{before}{BEGIN}\n\n{tables}\n\n{END}{after}"


def main(root: Path) -> int:
    """Rewrite every document of a provider and say which ones changed."""
    for provider, name in DOCUMENTS.items():
        path = root / name
        document = path.read_text(encoding="utf-8")
        written = with_reference(document, reference(schema_of(provider)))
        if written != document:
            path.write_text(written, encoding="utf-8")
            sys.stdout.write(f"{name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(__file__).parent.parent))
