"""Names and sums of migration files: every name means one thing, and no change of a directory goes unnoticed."""

from __future__ import annotations

import string
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kolumn.contract.errors import KolumnError, StateError, ValidationError
from kolumn.contract.extensions import ScriptRecord
from kolumn.host.migrations import directory, sums
from kolumn.host.migrations.directory import Name, parse_name
from kolumn.host.migrations.status import compare, pending, to_roll_back

NAMES = st.text(string.ascii_lowercase + "_0123456789", min_size=1, max_size=12).filter(
    lambda name: not name.endswith((".up", ".down"))
)
NUMBERS = st.integers(0, 10**9)


@given(NUMBERS, NAMES, st.integers(1, 14), st.sampled_from(["up", "down"]))
def test_numbered_names(number: int, name: str, width: int, direction: str) -> None:
    assert parse_name(f"{number:0{width}}_{name}.{direction}.sql") == Name((number,), name, direction)  # type: ignore[arg-type]
    assert parse_name(f"{number:0{width}}_{name}.sql") == Name((number,), name, "up")


@given(st.lists(st.integers(1, 999), min_size=1, max_size=4), NAMES, st.sampled_from(["V", "U"]))
def test_flyway_names(numbers: list[int], name: str, letter: str) -> None:
    direction = "up" if letter == "V" else "down"
    for sign in "._":
        found = parse_name(f"{letter}{sign.join(map(str, numbers))}__{name}.sql")
        assert found == Name(tuple(numbers), name, direction, "flyway")  # type: ignore[arg-type]
    assert parse_name(f"{letter}{'.'.join(map(str, [*numbers, 0]))}__{name}.sql") == found
    assert found.version == ".".join(map(str, numbers))


@given(st.text(max_size=30))
def test_any_text_is_a_name_or_none(text: str) -> None:
    found = parse_name(text)
    assert found is None or (found.number and found.name and text.endswith(".sql"))


def made(folder: Path, files: Mapping[str, bytes]) -> directory.Directory:
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return directory.read(folder)


FILES = st.dictionaries(st.integers(1, 40), st.tuples(st.binary(max_size=20), st.booleans()), min_size=1)


@settings(max_examples=60, deadline=None)
@given(FILES, st.data())
def test_every_change_is_found_and_named(files: dict[int, tuple[bytes, bool]], data: st.DataObject) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        contents = {f"{n:03}_m.up.sql": content for n, (content, _) in files.items()}
        contents |= {f"{n:03}_m.down.sql": content for n, (content, down) in files.items() if down}
        sums.write(made(folder, contents))
        assert sums.faults(directory.read(folder)) == []
        victim = data.draw(st.sampled_from(sorted(contents)))
        what = data.draw(st.sampled_from(["alter", "remove", "add", "swap", "line", "total"]))
        match what:
            case "alter":
                (folder / victim).write_bytes(contents[victim] + b"x")
                expected = [f"{victim} was altered"]
            case "remove":
                down = victim.replace(".up.", ".down.")
                gone = [each for each in dict.fromkeys((victim, down)) if each in contents]
                for each in gone:
                    (folder / each).unlink()
                expected = [f"{each} is missing" for each in gone]
            case "add":
                (folder / "999_more.sql").write_bytes(b"")
                expected = ["999_more.sql is not in kolumn.sum"]
            case "swap":
                (folder / victim).rename(folder / victim.replace("_m.", "_n."))
                expected = [f"{victim} is missing"]
            case "line":
                first, *lines = (folder / sums.NAME).read_text().splitlines()
                lines.pop(data.draw(st.integers(0, len(lines) - 1)))
                (folder / sums.NAME).write_text("\n".join([first, *lines]) + "\n")
                expected = ["kolumn.sum itself was altered"]
            case _:
                text = (folder / sums.NAME).read_text()
                (folder / sums.NAME).write_text(text.replace("h1:", "h1:A", 1))
                expected = ["kolumn.sum itself was altered"]
        found = sums.faults(directory.read(folder))
        assert set(expected) <= set(found)
        if what in ("alter", "remove", "add"):
            assert set(found) == set(expected), "nothing else is blamed"


@settings(max_examples=40, deadline=None)
@given(FILES, st.data())
def test_a_line_cannot_be_cut_out_with_its_file(
    files: dict[int, tuple[bytes, bool]], data: st.DataObject
) -> None:
    """Somebody who removes a file, its line, and makes the first line anew is found all the same."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        contents = {f"{n:03}_m.up.sql": content for n, (content, _) in files.items()}
        sums.write(made(folder, {**contents, "900_last.up.sql": b"SELECT 1"}))
        victim = data.draw(st.sampled_from(sorted(contents)))
        (folder / victim).unlink()
        _, *lines = (folder / sums.NAME).read_text().splitlines()
        kept = [line for line in lines if not line.startswith(victim)]
        (folder / sums.NAME).write_text("\n".join([sums._total(kept), *kept]) + "\n")
        assert sums.faults(directory.read(folder)), "the next line tells"


def test_directories_that_contradict_themselves(tmp_path: Path) -> None:
    for number, (names, code) in enumerate(
        (
            (["001_a.sql", "1_b.up.sql"], "duplicate_version"),
            (["V1__a.sql", "001_b.sql"], "duplicate_version"),
            (["002_a.down.sql"], "missing_up"),
            (["something.sql"], "invalid_name"),
            (["R__views.sql"], "repeatable_migration"),
        )
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        with pytest.raises(ValidationError) as caught:
            made(folder, dict.fromkeys(names, b"SELECT 1;"))
        assert [each.code for each in caught.value.problems] == [code], names
    assert directory.read(tmp_path / "nowhere").migrations == ()


def test_what_a_file_says_at_its_beginning(tmp_path: Path) -> None:
    text = b"-- kolumn: no transaction\n-- kolumn: needs a, b\n-- kolumn\nSELECT 1;\n-- kolumn: needs c\n"
    (only,) = made(tmp_path, {"001_a.sql": text}).migrations
    assert not only.up.transactional
    assert only.up.needs == ("a", "b")
    (only,) = made(tmp_path, {"001_a.sql": b"SELECT 1; -- kolumn: no transaction\n"}).migrations
    assert only.up.transactional
    (only,) = made(tmp_path, {"001_a.sql": b"\xff"}).migrations
    with pytest.raises(ValidationError):
        _ = only.up.text


@settings(max_examples=80, deadline=None)
@given(
    st.dictionaries(st.integers(1, 12), st.sampled_from(["file", "both", "record", "altered"]), max_size=8)
)
def test_status_tells_all_there_is(versions: dict[int, str]) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        files = {f"{n:03}_m.sql": b"SELECT %d;" % n for n, kind in versions.items() if kind != "record"}
        found = made(folder, files)
        records = []
        for n, kind in versions.items():
            migration = found.migration(str(n))
            if kind != "file":
                checksum = migration.up.checksum if migration is not None and kind == "both" else "other"
                records.append(ScriptRecord(version=str(n), checksum=checksum))
        lines = compare(found, records)
        assert [line.version for line in lines] == [str(n) for n in sorted(versions)]
        latest = max((n for n, kind in versions.items() if kind != "file"), default=0)
        for line in lines:
            n, kind = int(line.version), versions[int(line.version)]
            assert (
                line.standing
                == {
                    "both": "applied",
                    "record": "missing",
                    "altered": "altered",
                    "file": "out of order" if n < latest else "pending",
                }[kind]
            )
        broken = {"record", "altered"} & set(versions.values())
        try:
            wanted = pending(found, lines, out_of_order=True)
        except StateError as error:
            assert broken
            assert error.code == "migration_history"
        else:
            assert not broken
            assert [each.version for each in wanted] == [
                str(n) for n, kind in sorted(versions.items()) if kind == "file"
            ]
        with pytest.raises(KolumnError):
            to_roll_back(found, lines, steps=1, down_to="99")
