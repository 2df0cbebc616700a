"""The command as users have it: every provider in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests import command
from tests.command import OVER_RPC
from tests.rpc.processes import descendants, left_over, providers, until
from tests.rpc.providers import executable

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "csv-provider"
CONFIGURATION = """
provider "sqlite" {
  path = "x.db"
}

create "sqlite_table" "users" {
  column "id" {
    type        = "INTEGER"
    primary_key = true
  }
}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Yield a project folder; whatever was started for it has ended afterwards."""
    before = providers()
    project = tmp_path / "project"
    project.mkdir()
    (project / "main.kl").write_text(CONFIGURATION)
    yield project
    assert until(lambda: not left_over(before)), "a provider is left over"


def done(folder: Path, *words: str, **variables: str) -> str:
    return command.done(folder, *words, variables={**OVER_RPC, **variables})


def refused(folder: Path, *words: str, **variables: str) -> str:
    ended = command.run(folder, *words, variables={**OVER_RPC, **variables})
    assert ended.returncode == 1, ended
    assert "Traceback" not in ended.stderr
    return ended.stderr + ended.stdout


def csv_provider(folder: Path, name: str = "kolumn-provider-csv", version: str = "1.0.0") -> Path:
    """Put the example provider into `folder`, to be run by this Python."""
    folder.mkdir(parents=True, exist_ok=True)
    text = (EXAMPLE / "kolumn-provider-csv").read_text().split("\n", 1)[1]
    head = f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(command.SOURCES)!r})\n"
    path = folder / name
    path.write_text(head + text.replace('"1.0.0"', f'"{version}"'))
    path.chmod(0o755)
    return path


def test_both_ways_give_the_same(folder: Path) -> None:
    """A project's life, once in the command's process and once not: the same words, documents and databases."""
    seen: dict[str, list[object]] = {}
    for way, variables in (("rpc", OVER_RPC), ("in", {"KOLUMN_IN_PROCESS": "1"})):
        place = folder.parent / way
        shutil.copytree(folder, place)

        def run(*words: str, place: Path = place, variables: Mapping[str, str] = variables) -> object:
            ended = command.run(place, *words, variables=variables)
            text = ended.stdout if "--json" not in words else json.dumps(_timeless(json.loads(ended.stdout)))
            return (
                ended.returncode,
                "\n".join(line for line in text.splitlines() if " in " not in line),
                ended.stderr,
            )

        seen[way] = [
            run("validate"),
            run("plan"),
            run("plan", "--json"),
            run("apply", "--auto-approve"),
            run("plan", "--detailed-exitcode"),
            run("drift"),
            run("state", "list"),
            run("schema", "sqlite", "--json"),
            run("plan", "--target", "sqlite_table.nonsense"),
        ]
        (place / "main.kl").write_text(
            CONFIGURATION.replace("INTEGER", "NONSENSE(") + 'create "sqlite_table" "y" {}'
        )
        seen[way].append(run("plan"))
        with sqlite3.connect(place / "x.db") as database:
            seen[way].append(
                database.execute("SELECT sql FROM sqlite_master WHERE name = 'users'").fetchall()
            )
    assert seen["rpc"] == seen["in"]


def _timeless(document: object) -> object:
    if isinstance(document, dict):
        varying = ("seconds", "fingerprint", "lineage")
        return {key: _timeless(value) for key, value in document.items() if key not in varying}
    return [_timeless(each) for each in document] if isinstance(document, list) else document


def test_a_process_per_alias_and_none_is_left(folder: Path) -> None:
    aliases = [f"a{n}" for n in range(5)]
    (folder / "main.kl").write_text(
        "".join(
            f'provider "sqlite" {{\n  alias = "{each}"\n  path = "{each}.db"\n}}\n'
            f'create "sqlite_table" "t_{each}" {{\n  provider = sqlite.{each}\n'
            '  column "id" {\n    type = "INTEGER"\n  }\n}\n'
            for each in aliases
        )
    )
    process = command.start(folder, "apply", "--auto-approve", variables=OVER_RPC)
    most = 0
    while process.poll() is None:
        most = max(most, len(set(descendants(process.pid)) & providers()))
        time.sleep(0.01)
    out, err = process.communicate()
    assert process.returncode == 0, (out, err)
    assert most == 5
    for each in aliases:
        with sqlite3.connect(folder / f"{each}.db") as database:
            assert database.execute("SELECT name FROM sqlite_master WHERE name LIKE 't_%'").fetchall() == [
                (f"t_{each}",)
            ]


def test_a_provider_that_is_killed_in_an_apply_is_named_and_the_next_run_works(folder: Path) -> None:
    done(folder, "apply", "--auto-approve")
    before = done(folder, "state", "pull")
    with sqlite3.connect(folder / "x.db") as other:
        other.isolation_level = None
        (folder / "main.kl").write_text(
            CONFIGURATION + CONFIGURATION.split("\n\n")[1].replace("users", "more")
        )
        other.execute("BEGIN IMMEDIATE")  # so that the apply waits, inside its call
        process = command.start(folder, "apply", "--auto-approve", "--lock-timeout", "60", variables=OVER_RPC)
        assert until(lambda: bool(set(descendants(process.pid)) & providers()))
        time.sleep(1.5)
        (pid,) = set(descendants(process.pid)) & providers()
        os.kill(pid, signal.SIGKILL)
        out, err = process.communicate(timeout=30)
        other.execute("ROLLBACK")
    assert process.returncode == 1
    assert "Provider sqlite failed in the middle of" in err, (out, err)
    assert "SIGKILL" in err
    assert "Traceback" not in err
    assert (
        json.loads(done(folder, "state", "pull"))["state"]["resources"]
        == json.loads(before)["state"]["resources"]
    )
    done(folder, "apply", "--auto-approve")
    assert "No changes" in done(folder, "plan")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_command_that_is_ended_leaves_no_provider(folder: Path, number: signal.Signals) -> None:
    with sqlite3.connect(folder / "x.db") as other:
        other.isolation_level = None
        other.execute("BEGIN IMMEDIATE")
        process = command.start(folder, "apply", "--auto-approve", "--lock-timeout", "60", variables=OVER_RPC)
        assert until(lambda: bool(set(descendants(process.pid)) & providers()))
        time.sleep(1.0)
        process.send_signal(number)
        process.communicate(timeout=30)
        other.execute("ROLLBACK")
        assert other.execute("SELECT name FROM sqlite_master WHERE name = 'users'").fetchall() == []
    done(folder, "apply", "--auto-approve")


def test_records_of_providers_come_with_their_name(folder: Path) -> None:
    ended = command.run(folder, "plan", "--log-level", "debug", "--log-format", "json", variables=OVER_RPC)
    records = [json.loads(line) for line in ended.stderr.splitlines()]
    assert any(each["logger"] == "DispatchLogger" and each["provider"] == "sqlite" for each in records)
    assert command.run(folder, "plan", variables=OVER_RPC).stderr == ""
    text = command.run(folder, "plan", variables={**OVER_RPC, "KOLUMN_LOG": "info"}).stderr
    assert "event=connected" in text
    assert "dispatch" not in text


def test_credentials_reach_the_provider_through_configure_alone(folder: Path, tmp_path: Path) -> None:
    body = """
    def configure(self, context, config):
        import json
        from pathlib import Path
        words = Path("/proc/self/cmdline").read_text()
        Path("seen.json").write_text(json.dumps([config, dict(os.environ), words]))

    def call_function(self, context, function, input):
        raise OperationError("that is all")
    """
    place = tmp_path / "bin"
    executable(place, "odd", body)
    (folder / "main.kl").write_text(
        'provider "odd" {\n  password = "${SECRET_PLACE}"\n}\ndiscover "odd_thing" "x" {\n}\n'.replace(
            "${", "$${"
        )
    )
    variables = {"KOLUMN_PROVIDER_PATH": str(place), "SECRET_PLACE": "Hunter2zebra"}
    err = refused(folder, "plan", "--log-level", "debug", **variables)
    config, environ, words = json.loads((folder / "seen.json").read_text())
    assert config["password"] == "Hunter2zebra"
    assert "Hunter2zebra" not in json.dumps(environ) + words + err


def test_where_providers_are_found_and_which_counts(folder: Path, tmp_path: Path) -> None:
    home, given, path = tmp_path / "home", tmp_path / "given", tmp_path / "path"
    variables = {
        "HOME": str(home),
        "KOLUMN_PROVIDER_PATH": str(given),
        "PATH": f"{path}:{os.environ['PATH']}",
    }
    (folder / "main.kl").unlink()

    def used() -> dict[str, tuple[str, str]]:
        found = json.loads(done(folder, "providers", "--json", **variables))
        return {each["name"]: (each["source"], each["version"]) for each in found["installed"]}

    assert used()["sqlite"][0] == "package"
    assert "csv" not in used()
    csv_provider(path, version="1.0.0")
    (path / "kolumn-provider-plain.txt").write_text("no program")
    assert used()["csv"] == ("PATH", "1.0.0")
    csv_provider(home / ".kolumn" / "providers", version="2.0.0")
    assert used()["csv"] == ("~/.kolumn/providers", "2.0.0")
    csv_provider(given, "kolumn-provider-csv_v3.0.0", version="3.0.0")
    csv_provider(given, "kolumn-provider-csv_v3.10.0", version="3.10.0")
    assert used()["csv"] == ("KOLUMN_PROVIDER_PATH", "3.10.0")
    executable(given, "broken", "", before="sys.exit('no driver')")
    found = json.loads(done(folder, "providers", "--json", **variables))
    assert "no driver" in next(each["error"] for each in found["installed"] if each["name"] == "broken")
    assert {(each["name"], each["source"]) for each in found["hidden"]} >= {
        ("csv", "KOLUMN_PROVIDER_PATH"),
        ("csv", "~/.kolumn/providers"),
        ("csv", "PATH"),
    }
    assert f"{given}/kolumn-provider-csv_v3.10.0 (KOLUMN_PROVIDER_PATH)" in done(
        folder, "providers", **variables
    )


def test_the_version_a_project_requires_is_the_one_that_runs(folder: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    csv_provider(first, version="1.0.0")
    csv_provider(second, "kolumn-provider-csv_v2.1.0", version="2.1.0")
    csv_provider(second, "kolumn-provider-csv_v2.4.0", version="2.4.0")
    shutil.copy(EXAMPLE / "main.kl", folder / "main.kl")
    (folder / "tables").mkdir()
    variables = {"KOLUMN_PROVIDER_PATH": f"{first}:{second}"}
    done(folder, "plan", **variables)

    def requires(constraint: str) -> None:
        (folder / "requires.kl").write_text(
            f'kolumn {{\n  required_providers {{\n    csv = "{constraint}"\n  }}\n}}\n'
        )

    for constraint, version in (("~> 2.0", "2.4.0"), ("2.1.0", "2.1.0"), ("< 2", "1.0.0")):
        requires(constraint)
        done(folder, "providers", "--lock", **variables)
        assert json.loads((folder / "kolumn.lock.json").read_text())["providers"]["csv"]["version"] == version
        (folder / "kolumn.lock.json").unlink()
        done(folder, "plan", **variables)
    requires("> 9")
    assert "needs the provider csv > 9" in refused(folder, "plan", **variables)
    (folder / "requires.kl").unlink()
    assert 'no provider "csv"' in refused(folder, "plan")


def test_a_provider_that_changed_is_not_started(folder: Path, tmp_path: Path) -> None:
    place = csv_provider(tmp_path / "bin")
    shutil.copy(EXAMPLE / "main.kl", folder / "csv.kl")
    (folder / "tables").mkdir()
    variables = {"KOLUMN_PROVIDER_PATH": str(place.parent)}
    out = done(folder, "providers", "--lock", **variables)
    assert "csv 1.0.0" in out
    assert "sqlite" in out
    done(folder, "apply", "--auto-approve", **variables)
    mark = tmp_path / "started"
    place.write_text(place.read_text().replace("import csv", f"open({str(mark)!r}, 'w')\nimport csv"))
    assert "checksum" in refused(folder, "plan", **variables)
    assert not mark.exists()
    done(folder, "providers", "--lock", **variables)
    done(folder, "plan", **variables)
    assert mark.exists()
    lock = json.loads((folder / "kolumn.lock.json").read_text())
    del lock["providers"]["sqlite"]
    (folder / "kolumn.lock.json").write_text(json.dumps(lock))
    assert "not in kolumn.lock.json" in refused(folder, "plan", **variables)
    assert "not in kolumn.lock.json" in refused(folder, "plan", "--in-process", **variables)
    (folder / "kolumn.lock.json").write_text("{")
    assert "kolumn.lock.json cannot be read" in refused(folder, "plan", **variables)


def test_the_example_works_as_its_text_says(folder: Path, tmp_path: Path) -> None:
    """The CSV provider: planned, applied, changed with its rows kept, found, destroyed."""
    place = csv_provider(tmp_path / "bin")
    shutil.copy(EXAMPLE / "main.kl", folder / "main.kl")
    tables = folder / "tables"
    tables.mkdir()
    variables = {"KOLUMN_PROVIDER_PATH": str(place.parent)}
    assert "2 created" in done(folder, "apply", "--auto-approve", **variables)
    assert (tables / "people.csv").read_text() == "id,name,born\n"
    (tables / "people.csv").write_text("id,name,born\n1,Ada,1815\n")
    text = (folder / "main.kl").read_text()
    (folder / "main.kl").write_text(text.replace('["id", "name", "born"]', '["name", "born", "id"]'))
    assert "1 changed" in done(folder, "apply", "--auto-approve", **variables)
    assert (tables / "people.csv").read_text().split() == ["name,born,id", "Ada,1815,1"]
    assert "No changes" in done(folder, "plan", **variables)
    assert "2 deleted" in done(folder, "destroy", "--auto-approve", **variables)
    assert list(tables.iterdir()) == []
    (folder / "main.kl").write_text(text.replace("columns", "colums"))
    assert "unknown attribute colums" in refused(folder, "plan", **variables)


def test_conformance_of_any_executable(folder: Path, tmp_path: Path) -> None:
    place = csv_provider(tmp_path / "bin")
    (folder / "tables").mkdir()
    resources = [{"resource_type": "table", "name": "t", "config": {"columns": ["a", "b"]}}]
    (folder / "resources.json").write_text(json.dumps(resources))
    words = ("conformance", str(place), "--set", "folder=tables", "--resources", "resources.json")
    ended = command.run(folder, *words, variables=OVER_RPC)
    assert ended.returncode == 1
    assert "  ✓ `Plan` and `Apply` go the same way" in ended.stdout
    assert "  ✗ `PlanMigration` routed and implemented: not offered" in ended.stdout
    assert "  - `GetAuditLog` routed and implemented: not offered; not required" in ended.stdout
    assert list((folder / "tables").iterdir()) == []
    document = json.loads(command.run(folder, *words, "--json", variables=OVER_RPC).stdout)
    found = {each["text"]: each["outcome"] for each in document["checklist"]}
    assert found["credentials come out nowhere: answers, errors"] == "met"
    leaky = executable(
        tmp_path,
        "leaky",
        """
    def configure(self, context, config):
        raise OperationError(f"cannot connect with {config['conformance_password']}")
    """,
    )
    document = json.loads(command.run(folder, "conformance", str(leaky), "--json", variables=OVER_RPC).stdout)
    found = {each["text"]: each["outcome"] for each in document["checklist"]}
    assert found["credentials come out nowhere: answers, errors"] == "failed"
    assert found["`Configure()` method implemented"] == "open"


def test_conformance_of_what_is_no_provider(folder: Path) -> None:
    assert "did not start" in refused(folder, "conformance", "/bin/echo")
    assert "cannot be started" in refused(folder, "conformance", "./nothing-here")
