"""The examples of the documents, by what the words after the language of a fenced block say.

    ```hcl                  a whole configuration, valid as it stands; begins a new project
    ```hcl more             belongs to the project before it
    ```hcl file=PATH        so does this, in a file of its own
    ```hcl table            the body of one table
    ```hcl locals           attributes of a locals block; what stands after `# =>` is the value as JSON
    ```hcl save=PATH        written into the folder of the console examples; with `new`, into a new folder
    ```json same            the project before it, as JSON
    ```console run          commands and what they print, `...` for anything; in the same folder as before
    ```console run new      the same in a new folder

Any other block is not run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
DOCUMENTS = (
    "README.md",
    "docs/language.md",
    "docs/commands.md",
    "docs/drift.md",
    "docs/policies.md",
    "docs/duckdb.md",
    "docs/mysql.md",
    "docs/postgres.md",
    "docs/sqlite.md",
    "docs/audit.md",
    "docs/migrations.md",
    "docs/backup.md",
)
_FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    document: str
    line: int
    language: str
    words: tuple[str, ...]
    text: str

    @property
    def id(self) -> str:
        """Where it stands."""
        return f"{self.document}:{self.line}"

    def option(self, name: str) -> str:
        """The value of a word `name=value`, empty without one."""
        return next((word.partition("=")[2] for word in self.words if word.startswith(f"{name}=")), "")


@dataclass
class Files:
    """One project of an example."""

    first: Block
    files: dict[str, str] = field(default_factory=dict)
    twin: str = ""

    def write(self, folder: Path) -> None:
        """Write them into `folder`."""
        for name, text in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


def blocks(document: str) -> Iterator[Block]:
    """Yield the fenced blocks of a document."""
    text = (ROOT / document).read_text(encoding="utf-8")
    for match in _FENCE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        yield Block(document, line, match[1], tuple(match[2].split()), match[3])


def everything() -> list[Block]:
    """Return the blocks of all documents."""
    return [block for document in DOCUMENTS for block in blocks(document)]


def projects() -> list[Files]:
    """Return the configurations that the documents show."""
    found: list[Files] = []
    for block in everything():
        name = block.option("file")
        if block.language == "hcl" and not block.words:
            found.append(Files(block, {"main.kl": block.text}))
        elif block.words == ("more",):
            found[-1].files["main.kl"] += "\n" + block.text
        elif name:
            found[-1].files[name] = block.text
        elif block.words == ("same",):
            found[-1].twin = block.text
    return found


def of(language: str, *words: str) -> list[Block]:
    """Return the blocks of a language that begin with these words."""
    return [
        block for block in everything() if block.language == language and block.words[: len(words)] == words
    ]
