"""Backups: verified before anything is destroyed, found when altered, put back by a function of its own."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kolumn.contract.errors import OperationError, StateError, ValidationError
from tests.client import Client, wanted
from tests.conformance.migrations import LOSING, ROWS, filled, held, migration, with_vault, without
from tests.targets import Settings, Target

KEY = "a key that is long enough, and planted"


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    return tmp_path / "deeper" / "vault"


@pytest.fixture
def client(settings: Settings, vault: Path, connect: Callable[[Settings], Client]) -> Client:
    return connect(with_vault(settings, vault))


def dropped(target: Target, settings: Settings, client: Client) -> Path:
    """Drop a table of rows with a backup, and return where that is."""
    config = filled(target, settings, client)
    return Path(client.done("ApplyMigration", migration("gone", config, {}, **LOSING))["backup_path"])


def manifest(path: Path) -> Any:
    return json.loads((path / "manifest.json").read_text())


def test_a_backup_says_what_is_in_it(target: Target, settings: Settings, client: Client, vault: Path) -> None:
    path = dropped(target, settings, client)
    said = manifest(path)
    (part,) = said["parts"]
    assert (said["format"], said["provider"], said["migration"]) == (1, target.provider, "gone")
    assert (part["resource_type"], part["rows"]) == ("table", ROWS)
    assert {"id", "name", "born"} <= set(part["columns"])
    assert part["config"]["name"] == "author"
    assert (path / part["file"]).stat().st_size == part["bytes"]
    with gzip.open(path / part["file"]) as file:
        assert sum(1 for _ in file) == ROWS, "one row is one line, in plain gzip"
    for each in (vault, path, *path.iterdir()):
        assert each.stat().st_mode & 0o77 == 0, f"{each} is for its owner alone"
    (listed,) = client.done("ListBackups")["backups"]
    assert (listed["name"], listed["rows"]) == (path.name, ROWS)
    assert "fault" not in listed
    assert client.done("VerifyBackup", {"name": path.name})["backup"] == listed


def test_rows_are_put_back_by_themselves(target: Target, settings: Settings, client: Client) -> None:
    config = filled(target, settings, client)
    start = held(target, settings)
    done = client.done("ApplyMigration", migration("gone", config, {}, **LOSING))
    name = Path(done["backup_path"]).name
    tried = client.done("RestoreBackup", {"names": [name], "dry_run": True})
    assert tried["parts"][0]["recreated"] is True
    assert not client.done("ReadResource", {"resource_type": "table", "name": "author"})["exists"]
    (part,) = client.done("RestoreBackup", {"names": [name], "resources": ["table author"]})["parts"]
    assert (part["rows"], part["restored"], part["recreated"]) == (ROWS, ROWS, True)
    assert held(target, settings) == start
    error = client.refused("RestoreBackup", {"names": [name]})
    assert isinstance(error, StateError)
    assert error.code == "not_empty"
    target.execute(settings, "DELETE FROM author WHERE id > 0;")
    client.done("RestoreBackup", {"names": [name]})
    assert held(target, settings) == start
    error = client.refused("RestoreBackup", {"names": [name], "resources": ["table nobody"]})
    assert error.code == "not_in_backup"


def test_values_are_put_back_by_themselves(target: Target, settings: Settings, client: Client) -> None:
    config = filled(target, settings, client)
    start = held(target, settings)
    done = client.done("ApplyMigration", migration("m", config, without(config, "born"), **LOSING))
    name = Path(done["backup_path"]).name
    target.execute(settings, "DELETE FROM author WHERE id = 3;")
    (part,) = client.done("RestoreBackup", {"names": [name]})["parts"]
    assert (part["rows"], part["restored"]) == (ROWS, ROWS - 1)
    kept = [each for each in start if "(3, 'It" not in each]
    if len(kept) < len(start):
        assert held(target, settings) == kept


def test_what_was_altered_is_found_before_anything_is_done(
    target: Target, settings: Settings, client: Client, tmp_path: Path
) -> None:
    path = dropped(target, settings, client)
    rows = path / manifest(path)["parts"][0]["file"]
    whole = tmp_path / "whole"
    shutil.copytree(path, whole)
    before = target.dump(settings)

    def forged() -> None:
        """Alter rows, checksum and seal together, as somebody could who knows the format."""
        import hashlib

        from kolumn.engine.backup import manifest as form

        content = gzip.compress(gzip.decompress(rows.read_bytes()).replace(b"1901", b"1902"), mtime=0)
        rows.write_bytes(content)
        said = manifest(path)
        said["parts"][0].update(sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))
        (path / form.NAME).write_bytes(form.encode(form.decode(json.dumps(said).encode(), "it").sealed(None)))

    def flipped() -> None:
        content = bytearray(rows.read_bytes())
        content[len(content) // 2] ^= 1
        rows.write_bytes(content)

    def counted() -> None:
        said = manifest(path)
        said["parts"][0]["rows"] += 1
        (path / "manifest.json").write_text(json.dumps(said))

    damages: dict[str, Callable[[], object]] = {
        "a bit": flipped,
        "the end": lambda: rows.write_bytes(rows.read_bytes()[:-9]),
        "the file": rows.unlink,
        "the manifest": counted,
        "no manifest": (path / "manifest.json").unlink,
        "no JSON": lambda: (path / "manifest.json").write_text("{"),
        "another file": lambda: (path / "0002.rows.gz").write_bytes(b""),
        "all of it": forged,
    }
    for words, damage in damages.items():
        damage()
        for function, request in (
            ("VerifyBackup", {"name": path.name}),
            ("RestoreBackup", {"names": [path.name]}),
            ("RollbackMigration", migration("gone", {}, {})),
        ):
            error = client.refused(function, request)
            assert isinstance(error, StateError), words
            assert error.code == "damaged_backup", words
            assert path.name in error.message, words
        assert target.dump(settings) == before, words
        shutil.rmtree(path)
        shutil.copytree(whole, path)
    client.done("VerifyBackup", {"name": path.name})
    moved = path.with_name("another-name")
    path.rename(moved)
    assert client.refused("VerifyBackup", {"name": "another-name"}).code == "damaged_backup"
    assert client.refused("VerifyBackup", {"name": path.name}).code == "unknown_backup"
    assert client.refused("VerifyBackup", {"name": str(whole)}).code == "unknown_backup"
    assert client.refused("VerifyBackup", {"name": "../" + vault_name(path)}).code == "unknown_backup"


def vault_name(path: Path) -> str:
    return path.parent.name


def test_a_backup_is_encrypted_with_a_key(
    target: Target, settings: Settings, vault: Path, connect: Callable[[Settings], Client]
) -> None:
    client = connect(with_vault(settings, vault, backup_key=KEY))
    config = filled(target, settings, client)
    start = held(target, settings)
    done = client.done("ApplyMigration", migration("gone", config, {}, **LOSING))
    path = Path(done["backup_path"])
    content = b"".join(each.read_bytes() for each in path.iterdir())
    assert KEY.encode() not in content
    (listed,) = client.done("ListBackups")["backups"]
    assert listed["encrypted"] is True
    rows = path / manifest(path)["parts"][0]["file"]
    with pytest.raises(gzip.BadGzipFile):
        gzip.decompress(rows.read_bytes())

    other = connect(with_vault(settings, vault, backup_key="another key, long enough too"))
    assert other.refused("VerifyBackup", {"name": path.name}).code == "damaged_backup"
    keyless = connect(with_vault(settings, vault))
    error = keyless.refused("RestoreBackup", {"names": [path.name]})
    assert isinstance(error, ValidationError)
    assert error.code == "missing_backup_key"

    whole = rows.read_bytes()
    for at in (0, 5, len(whole) // 2, len(whole) - 1):
        altered = bytearray(whole)
        altered[at] ^= 1
        rows.write_bytes(altered)
        assert client.refused("RestoreBackup", {"names": [path.name]}).code == "damaged_backup"
    rows.write_bytes(whole)
    client.done("RollbackMigration", migration("gone", {}, {}))
    assert held(target, settings) == start


def test_without_a_backup_nothing_is_destroyed(
    target: Target, settings: Settings, tmp_path: Path, connect: Callable[[Settings], Client]
) -> None:
    no_folder = tmp_path / "a file"
    no_folder.write_text("in the way")
    client = connect(with_vault(settings, no_folder / "vault"))
    config = filled(target, settings, client)
    start = held(target, settings)
    error = client.refused("ApplyMigration", migration("gone", config, {}, **LOSING))
    assert isinstance(error, OperationError)
    assert error.code == "backup_failed"
    assert "backup_dir" in error.message
    assert held(target, settings) == start


def test_what_was_not_finished_is_told(
    target: Target, settings: Settings, client: Client, vault: Path
) -> None:
    path = dropped(target, settings, client)
    unfinished = vault / f"{path.name}.partial"
    shutil.copytree(path, unfinished)
    listed = {each["name"]: each for each in client.done("ListBackups")["backups"]}
    assert "interrupted" in listed[unfinished.name]["fault"]
    assert client.refused("RestoreBackup", {"names": [unfinished.name]}).code == "damaged_backup"


def test_settings_are_checked(
    settings: Settings, tmp_path: Path, connect: Callable[[Settings], Client]
) -> None:
    for wrong in ({"backup_key": "short"}, {"backup_dir": 5}, {"backup_dir": "a\0b"}):
        with pytest.raises(ValidationError) as caught:
            connect({**settings, **wrong})
        assert [each.path for each in caught.value.problems] == list(wrong)


def test_several_tables_share_a_migration_of_one(target: Target, settings: Settings, client: Client) -> None:
    """A table that others refer to keeps them whole on its way there and back."""
    author, book = target.samples[0], target.samples[1]
    for each in (author, book):
        client.apply(wanted(each.type, each.name, each.config))
    target.execute(
        settings,
        "INSERT INTO author (id, name, born) VALUES (1, 'a', 5), (2, 'b', 6);"
        "INSERT INTO book (author_id, title, price) VALUES (1, 'x', 1), (2, 'y', 2);",
    )
    start = held(target, settings)
    client.done("ApplyMigration", migration("m", author.config, without(author.config, "born"), **LOSING))
    client.done("RollbackMigration", migration("m", {}, {}))
    assert held(target, settings) == start


def test_an_apply_saves_what_it_destroys(target: Target, settings: Settings, client: Client) -> None:
    config = filled(target, settings, client)
    start = held(target, settings)
    done = client.apply(wanted("table", "author", without(config, "born"), "update"), backup=True)
    name = Path(done["backup_path"]).name
    assert client.done("VerifyBackup", {"name": name})["backup"]["parts"][0]["lost"] == ["born"]
    client.done("RestoreBackup", {"names": [name]})
    assert held(target, settings) == start
    done = client.apply(wanted("table", "author", config, "delete"), backup=True)
    client.done("RestoreBackup", {"names": [Path(done["backup_path"]).name]})
    assert held(target, settings) == start
    grown = {**config, "columns": [*config["columns"], dict(target.column)]}
    assert "backup_path" not in client.apply(wanted("table", "author", grown, "update"), backup=True)
