"""The dependencies between the resources of a configuration, as a graph and as its drawings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kolumn.config.project import Project


@dataclass(frozen=True, slots=True)
class Graph:
    """Resources and what they depend on, by address, both sorted."""

    nodes: Mapping[str, tuple[str, ...]]

    def to_dot(self) -> str:
        """Return the graph in Graphviz's language; an arrow leads to what is needed."""
        lines = ["digraph kolumn {", "  rankdir = LR;", "  node [shape = box];"]
        lines += [f"  {_quoted(address)};" for address in self.nodes]
        lines += [
            f"  {_quoted(address)} -> {_quoted(needed)};"
            for address, needs in self.nodes.items()
            for needed in needs
        ]
        return "\n".join([*lines, "}"])

    def to_mermaid(self) -> str:
        """Return the graph as a Mermaid flowchart; an arrow leads to what is needed."""
        ids = {address: f"n{at}" for at, address in enumerate(self.nodes)}
        lines = ["flowchart LR"]
        lines += [f'  {ids[address]}["{_escaped(address)}"]' for address in self.nodes]
        lines += [
            f"  {ids[address]} --> {ids[needed]}" for address, needs in self.nodes.items() for needed in needs
        ]
        return "\n".join(lines)


def graph(project: Project) -> Graph:
    """Return the graph of a project's resources."""
    known = {each.address for each in project.resources}
    return Graph(
        {
            each.address: tuple(sorted(set(each.depends_on) & known))
            for each in sorted(project.resources, key=lambda each: each.address)
        }
    )


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")
