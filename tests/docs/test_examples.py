"""Every example of the documents works as it is shown."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import pytest
from tools.provider_reference import reference, with_reference

from kolumn.config import evaluate, load
from kolumn.config.functions import FUNCTIONS
from kolumn.host.inventory import schema_of
from kolumn.host.validation import validate
from tests.command import environment, executable
from tests.docs import documents
from tests.docs.documents import ROOT, Block, Files

KNOWN = {"", "more", "table", "locals", "same", "run", "new"}


def test_every_mark_is_known():
    for block in documents.everything():
        marks = {word for word in block.words if not word.startswith(("file=", "save="))}
        assert marks <= KNOWN, block.id


@pytest.mark.parametrize("project", documents.projects(), ids=lambda each: each.first.id)
def test_configuration(project: Files, tmp_path: Path):
    project.write(tmp_path)
    assert validate(tmp_path, (), {}).resources >= 0


@pytest.mark.parametrize(
    "project", [each for each in documents.projects() if each.twin], ids=lambda each: each.first.id
)
def test_json_twin(project: Files, tmp_path: Path):
    project.write(tmp_path / "kl")
    Files(project.first, {"main.kl.json": project.twin}).write(tmp_path / "json")
    kl, twin = (evaluate(load(tmp_path / name, environ={}), None) for name in ("kl", "json"))
    assert [(each.address, each.config) for each in kl.resources] == [
        (each.address, each.config) for each in twin.resources
    ]
    assert kl.outputs == twin.outputs


@pytest.mark.parametrize("block", documents.of("hcl", "table"), ids=lambda each: each.id)
def test_body_of_a_table(block: Block, tmp_path: Path):
    text = f'create "sqlite_table" "example" {{\n{block.text}}}\n'
    (tmp_path / "main.kl").write_text(text, encoding="utf-8")
    assert validate(tmp_path, (), {}).resources == 1


@pytest.mark.parametrize("block", documents.of("hcl", "locals"), ids=lambda each: each.id)
def test_values(block: Block, tmp_path: Path):
    text = f"locals {{\n{block.text}}}\n"
    wanted = {
        match[1]: json.loads(match[2])
        for match in re.finditer(r"^(\w+) *=.*# => (.*)$", block.text, re.MULTILINE)
    }
    outputs = "".join(f'output "{name}" {{\n  value = local.{name}\n}}\n' for name in wanted)
    (tmp_path / "main.kl").write_text(text + outputs, encoding="utf-8")
    found = evaluate(load(tmp_path, environ={}), None)
    assert {each.name: each.value for each in found.outputs} == wanted


@pytest.mark.parametrize("document", documents.DOCUMENTS)
def test_console(document: str, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("session")
    for block in documents.blocks(document):
        if "new" in block.words:
            folder = tmp_path_factory.mktemp("session")
        if block.language == "console" and block.words[:1] == ("run",):
            for command, printed in _commands(block.text):
                ended = _shell(folder, command)
                assert _pattern(printed).fullmatch(ended), f"{block.id}: {command}\n{ended}"
        elif name := block.option("save"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(block.text, encoding="utf-8")


def _commands(text: str) -> list[tuple[str, str]]:
    """Return each command of a console example with what is printed after it."""
    parts = re.split(r"^\$ (.*)\n", text, flags=re.MULTILINE)
    assert not parts[0].strip()
    return list(zip(parts[1::2], parts[2::2], strict=True))


def _pattern(printed: str) -> re.Pattern[str]:
    """Return what the output must look like: `...` is anything."""
    parts = map(re.escape, printed.strip().split("..."))
    return re.compile(r"\s*" + ".*?".join(parts) + r"\s*", re.DOTALL)


@cache
def _shell_of_sqlite() -> Path:
    """Return a folder with a `sqlite3` for machines that lack SQLite's own shell."""
    program = Path(tempfile.mkdtemp(prefix="kolumn-sqlite3-")) / "sqlite3"
    text = "import sqlite3, sys\nsqlite3.connect(sys.argv[1]).executescript(sys.argv[2]).close()\n"
    program.write_text(f"#!{sys.executable}\n{text}", encoding="utf-8")
    program.chmod(0o755)
    return program.parent


def _shell(folder: Path, command: str) -> str:
    places = [str(executable().parent), os.environ["PATH"], str(_shell_of_sqlite())]
    variables = environment(PATH=os.pathsep.join(places))
    ended = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    return ended.stdout


def test_every_function_is_listed():
    text = (ROOT / "docs/language.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(\w+)\(", text, re.MULTILINE)
    assert sorted(listed) == sorted([*FUNCTIONS, "try", "can"])


def test_every_command_is_described():
    from kolumn.cli.main import COMMANDS

    text = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
    described = re.findall(r"^### kolumn (\w+)$", text, re.MULTILINE)
    assert sorted(described) == sorted(COMMANDS)


@pytest.mark.parametrize(
    "command", ["plan", "apply", "destroy", "import", "fmt", "drift", "output", "graph", "audit"]
)
def test_every_flag_is_described(command: str):
    """The options of a command's own, and those it shares, stand in the document."""
    from importlib import import_module

    from kolumn.cli.main import COMMANDS, command_parser

    text = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
    parser = command_parser(command, import_module(f"kolumn.cli.commands.{COMMANDS[command][0]}").configure)
    flags = [flag for action in parser._actions for flag in action.option_strings if flag.startswith("--")]
    assert [
        flag for flag in flags if f"`{flag}" not in text and f"{flag}`" not in text and flag != "--help"
    ] == []


def test_settings_are_all_described():
    from kolumn.engine.declaration import declared_fields
    from kolumn.providers.sqlite.settings import SQLiteSettings

    text = (ROOT / "docs/sqlite.md").read_text(encoding="utf-8")
    assert [each.name for each in declared_fields(SQLiteSettings) if f"| `{each.name}` |" not in text] == []


def test_reference_is_up_to_date():
    document = (ROOT / "docs/sqlite.md").read_text(encoding="utf-8")
    assert document == with_reference(document, reference(schema_of("sqlite"))), "run make docs"


@pytest.mark.parametrize("document", documents.DOCUMENTS)
def test_links_lead_somewhere(document: str):
    text = (ROOT / document).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        path = (ROOT / document).parent / target
        assert path.exists(), target


@pytest.mark.parametrize("document", documents.DOCUMENTS[1:])
def test_headings_that_are_linked_exist(document: str):
    text = (ROOT / document).read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}
    assert set(re.findall(r"\]\(#([^)]*)\)", text)) <= anchors


def test_the_list_of_policies_is_up_to_date():
    from tools import policy_reference

    text = (ROOT / policy_reference.DOCUMENT).read_text(encoding="utf-8")
    assert policy_reference.with_reference(text) == text, "run `make docs`"
