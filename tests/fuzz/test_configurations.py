"""Broken `.kl` files end with exit code 1 and an error that says where, and leave the database alone."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kolumn.cli.main import main
from tests import command, dumps

FILES = 1_000 if command.SOAK else 200
SECRET = "Pl4netarium-hunter2-newt"
VARIABLE = "KOLUMN_VAR_password"

VALID = """
policy "no_drop" {
  for      = "change"
  when     = var.prefix == "shop"
  deny     = change.action == "delete" && length(change.steps) > 0
  message  = "${change.address}: ${join(", ", [for s in change.steps : s.description])}"
  severity = "warning"
}

policy "table_rewrite" {
  severity = "error"
  max_rows = 1000
  except   = ["sqlite_table.legacy_*"]
}

policies {
  builtin = "all"
}

variable "prefix" {
  type    = string
  default = "shop"
}

variable "password" {
  type      = string
  sensitive = true
}

locals {
  names = ["red", "green", "blue"]
  size  = length(local.names) + 1
}

provider "sqlite" {
  path         = "shop.db"
  safe_destroy = false
}

create "sqlite_table" "customer" {
  column "id" {
    type        = "INTEGER"
    primary_key = true
  }
  column "name" {
    type     = "TEXT"
    not_null = true
    default  = "'${upper(var.prefix)}'"
  }
  column "pin" {
    type    = "TEXT"
    default = "'${var.password}'"
  }
}

create "sqlite_table" "orders" {
  columns = {
    id          = { type = "INTEGER", primary_key = true }
    customer_id = { type = "INTEGER", references = sqlite_table.customer.id, on_delete = "cascade" }
    total       = { type = "NUMERIC", default = 0, check = "total >= 0" }
  }
  lifecycle {
    prevent_destroy = true
  }
}

create "sqlite_table" "colour" {
  for_each = toset(local.names)
  name     = "${var.prefix}_${each.key}"
  columns  = [for n in range(local.size) : { name = "c${n}", type = n % 2 == 0 ? "TEXT" : "INTEGER" }]
}

create "sqlite_index" "orders_customer" {
  table   = sqlite_table.orders
  columns = ["customer_id", { expression = "total * 2" }]
}

create "sqlite_view" "spending" {
  definition = <<-SQL
    SELECT name, sum(total) AS spent
    FROM customer JOIN orders ON customer.id = customer_id
    GROUP BY name
  SQL
  depends_on = [sqlite_table.customer, sqlite_table.orders]
}

create "sqlite_trigger" "no_free" {
  table  = sqlite_table.orders
  timing = "before"
  events = ["insert"]
  when   = "new.total = 0"
  body   = "SELECT raise(abort, 'nothing is free');"
}

output "names" {
  value = { for n in local.names : n => upper(n) if n != "red" }
}

output "pin" {
  value     = var.password
  sensitive = true
}
"""

SENSITIVE = VALID[VALID.index('variable "password"') : VALID.index("locals")]
"""The block that makes the planted secret one; where it is broken nothing is planted."""

TOKENS = re.findall(r'\s+|"(?:[^"\\]|\\.)*"|\w+|<<-?\w+|.', VALID)
SOLID = [at for at, token in enumerate(TOKENS) if not token.isspace()]
STRAY = (
    *(
        "{",
        "}",
        "[",
        "]",
        "(",
        ")",
        '"',
        "${",
        "%{",
        "<<EOT",
        "=",
        "=>",
        "...",
        ".",
        ",",
        "?",
        ":",
        "!",
        "&&",
        "\0",
        "\\",
        "/*",
    ),
    *(
        "#",
        "null",
        "true",
        "each.key",
        "count.index",
        "self",
        "var.nope",
        "local.nope",
        "sqlite_table.nope.id",
        "module.x.y",
    ),
    *(
        "path.module",
        'file("/etc/shadow")',
        'templatefile("x", {})',
        "1/0",
        "9" * 400,
        '"' + "x" * 5000 + '"',
        "é",
        "\ud800",
    ),
    *(
        "for",
        "if",
        'regex("(", "x")',
        'jsondecode("{")',
        "[" * 500,
        "(" * 500 + "1" + ")" * 500,
        "-" * 300,
        "!" * 300,
    ),
    *(
        "sqlite_tabel",
        "create",
        "provider",
        "depends_on",
        "lifecycle",
        "dynamic",
        '"DROP TABLE customer; --"',
        "range(1e9)",
    ),
    *(
        'join("", [for a in range(1000) : join("", [for b in range(1000) : "xxxxxxxxxx"])])',
        'format("%999999999d", 1)',
    ),
)


@st.composite
def broken(draw: st.DrawFn) -> str:
    """Draw a text one to three changes away from the valid one."""
    tokens = list(TOKENS)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.sampled_from(SOLID))
        match draw(st.sampled_from(("remove", "stray", "replace", "swap", "double", "cut", "letter"))):
            case "remove":
                tokens[at] = ""
            case "stray":
                tokens[at] += f" {draw(st.sampled_from(STRAY))} "
            case "replace":
                tokens[at] = draw(st.sampled_from(STRAY) | st.text(max_size=6))
            case "swap":
                other = draw(st.sampled_from(SOLID))
                tokens[at], tokens[other] = tokens[other], tokens[at]
            case "double":
                tokens[at] *= 2
            case "cut":
                if draw(st.integers(0, 3)) == 0:
                    del tokens[at:]
                    tokens += [""] * (len(TOKENS) - len(tokens))
            case "letter":
                tokens[at] = tokens[at][:-1]
    return "".join(tokens)


HANG = 10.0
"""Seconds after which a command that is still running counts as one that never ends."""


def _never_ends(number: int, frame: object) -> None:
    raise AssertionError(f"still running after {HANG:g} seconds")


class Project:
    """A folder whose configuration is replaced again and again, beside a database that must not change."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "main.kl"
        self.file.write_text(VALID)
        with closing(sqlite3.connect(folder / "shop.db")) as database:
            database.executescript(
                "CREATE TABLE customer (id INTEGER PRIMARY KEY); INSERT INTO customer VALUES (1), (2);"
            )
        self.before = self.dump()

    def dump(self) -> object:
        return dumps.schema(self.folder / "shop.db"), dumps.checksums(self.folder / "shop.db")

    def run(self, *words: str) -> tuple[int, str]:
        """Run the command in this process, which is much faster, and return exit code and output."""
        said = io.StringIO()
        here = Path.cwd()
        os.chdir(self.folder)
        planted = SENSITIVE.encode() in self.file.read_bytes()
        os.environ[VARIABLE] = SECRET if planted else "harmless"
        signal.signal(signal.SIGALRM, _never_ends)
        signal.setitimer(signal.ITIMER_REAL, HANG)
        try:
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                code = main([*words])
        except SystemExit as ended:
            code = int(str(ended.code or 0))
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            os.chdir(here)
            del os.environ[VARIABLE]
        return code, said.getvalue()

    def write(self, text: str) -> None:
        self.file.write_bytes(text.encode("utf-8", "surrogatepass"))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("project"))


tally = {0: 0, 1: 0}


def judged(code: int, said: str) -> None:
    assert code in (0, 1), said
    assert "Traceback" not in said
    assert "in a way it should not" not in said, said[-3000:]
    assert SECRET not in said
    if code == 1:
        assert re.search(r"(?i)error|main\.kl:\d+|line \d+", said), said
    tally[code] += 1


def test_the_valid_file_is_valid(project: Project) -> None:
    project.write(VALID)
    for words in (["validate"], ["plan"], ["plan", "--sql"], ["plan", "--json"]):
        code, said = project.run(*words)
        assert code == 0, said
        judged(code, said)
    assert project.dump() == project.before


@pytest.mark.soak
@settings(max_examples=FILES, deadline=None)
@given(
    text=broken(),
    words=st.sampled_from(
        [["validate"], ["plan"], ["plan", "--sql"], ["validate", "--json"], ["plan", "--json"]]
    ),
)
def test_broken_files(project: Project, text: str, words: list[str]) -> None:
    project.write(text)
    code, said = project.run(*words)
    judged(code, said)
    if words[-1] == "--json":
        answer = json.loads(said)
        if code == 1:
            assert answer["error"]["category"] or answer["error"]["problems"]
    assert project.dump() == project.before
    assert not (project.folder / ".kolumn" / "state.db").exists()


def test_most_of_them_were_broken() -> None:
    print(tally)
    if sum(tally.values()) > 50:
        assert tally[1] > tally[0]


@settings(max_examples=FILES // 4, deadline=None)
@given(data=st.binary(max_size=300))
def test_files_of_random_bytes(project: Project, data: bytes) -> None:
    project.file.write_bytes(data)
    code, said = project.run("validate")
    judged(code, said)


@settings(max_examples=FILES // 4, deadline=None)
@given(at=st.integers(0, len(VALID.encode())), data=st.binary(min_size=1, max_size=4))
def test_files_with_random_bytes_inside(project: Project, at: int, data: bytes) -> None:
    whole = VALID.encode()
    project.file.write_bytes(whole[:at] + data + whole[at:])
    code, said = project.run("plan")
    judged(code, said)
    assert project.dump() == project.before


@pytest.mark.parametrize(
    "text",
    [
        "create",
        "}" * 10_000,
        "{" * 10_000,
        "a = " + "[" * 100_000,
        "a = " + "(" * 50_000 + "1",
        "a = " + "-" * 50_000 + "1",
        "a = " + "1 + " * 20_000 + "1",
        "a = " + '"${' * 20_000,
        "locals {\n" + "".join(f"  a{n} = local.a{n + 1}\n" for n in range(5_000)) + "}\n",
        "locals {\n  a = local.b\n  b = local.a\n}\n",
        "locals {\n  a0 = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
        + "".join(f"  a{n} = concat({', '.join([f'local.a{n - 1}'] * 10)})\n" for n in range(1, 9))
        + '}\noutput "o" { value = length(local.a8) }\n',
        'create "sqlite_table" "x" { count = 1000000000 }',
        'create "sqlite_table" "x" { count = -1 }',
        'create "sqlite_table" "x" { count = "many" }',
        'module "m" { source = "." }',
        'module "m" { source = "https://example.com/x" }',
        'variable "v" { type = list(list(list(list(string)))) \n default = 7 }',
        'variable "v" {}',
        'provider "nosuch" {}\ncreate "nosuch_table" "t" {}',
        'provider "sqlite" {}\nprovider "sqlite" {}',
        "\ufeff\u202ecreate",
        "# only a comment",
        "a = <<EOT\nnever ends",
        "/* never ends",
        'output "o" { value = file("/dev/zero") }',
        'output "o" { value = regex("(a+)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab") }',
        'output "o" { value = format("%1000000000s", "x") }',
        'output "o" { value = [for a in range(10000) : [for b in range(10000) : b]] }',
    ],
    ids=lambda text: text[:30],
)
def test_hostile_files_end_in_time(tmp_path: Path, text: str) -> None:
    (tmp_path / "main.kl").write_text(text)
    started = time.monotonic()
    ended = command.run(tmp_path, "validate", timeout=20)
    assert time.monotonic() - started < 10
    judged(ended.returncode, ended.stdout + ended.stderr)


def test_secrets_stay_in_the_project(tmp_path: Path) -> None:
    """A sensitive variable goes into the database and nowhere else, whatever is asked."""
    (tmp_path / "main.kl").write_text(VALID)
    said = ""
    for words in (
        *(
            ["validate"],
            ["plan", "--sql"],
            ["plan", "--json"],
            ["plan", "--out", "saved.plan"],
            ["show", "saved.plan"],
        ),
        *(
            ["apply", "--auto-approve", "--sql"],
            ["apply", "--auto-approve", "--json"],
            ["output"],
            ["output", "--json"],
        ),
        *(
            ["state", "list"],
            ["state", "show", "sqlite_table.customer"],
            ["state", "pull"],
            ["show"],
            ["graph"],
        ),
        *(["plan", "--log-level", "debug"], ["apply", "--auto-approve", "--log-level", "debug"]),
    ):
        ended = command.run(tmp_path, *words, variables={VARIABLE: SECRET})
        assert ended.returncode == 0, ended.stdout + ended.stderr
        said += ended.stdout + ended.stderr
    assert SECRET not in said
    with closing(sqlite3.connect(tmp_path / "shop.db")) as database:
        stored = database.execute("SELECT sql FROM sqlite_schema WHERE name = 'customer'").fetchone()[0]
    assert SECRET in stored, "the database has it"
    for file in tmp_path.rglob("*"):
        if file.is_file() and not file.name.startswith("shop.db"):
            assert SECRET.encode() not in file.read_bytes(), file
