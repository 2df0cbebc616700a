from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kolumn.cli.main import COMMANDS, main

from .project import POSTS, USERS, ProjectFolder


def test_every_command_explains_itself_with_examples(capsys: pytest.CaptureFixture[str]) -> None:
    for name in COMMANDS:
        with pytest.raises(SystemExit) as caught:
            main([name, "--help"])
        assert caught.value.code == 0
        text = capsys.readouterr().out
        assert "examples:" in text, name
        assert f"kolumn {name}" in text
    assert main(["--help"]) == 0
    overview = capsys.readouterr().out
    assert all(name in overview for name in COMMANDS)


def test_misuse_exits_with_1_and_never_with_the_code_for_changes(project: ProjectFolder) -> None:
    project.write(USERS)
    for words in (
        ["plan", "--nonsense"],
        ["plan", "--lock-timeout", "soon"],
        ["schema"],
        ["plan", "-var", "x"],
    ):
        ran = project.run(*words)
        assert ran.code == 1, words
        assert ran.err.startswith("Error: ")
        assert project.run(*words, "--json").document["error"]["code"] == "bad_argument"
    assert main(["plann"]) == 1
    assert main([]) == 1


def test_global_options_may_come_first_and_a_folder_may_be_called_like_a_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "graph"
    folder.mkdir()
    (folder / "main.kl").write_text(USERS)
    with contextlib.chdir(tmp_path):
        assert main(["-C", "graph", "--json", "graph"]) == 0
    assert '"sqlite_table.users"' in capsys.readouterr().out


def test_any_text_can_be_printed_in_any_locale(project: ProjectFolder) -> None:
    project.write(USERS.replace('"email"', '"größe_数"'))
    process = project.start(
        "plan", environment={"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    )
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "gr\\xf6\\xdfe_" in out


def test_exit_codes_of_plan(project: ProjectFolder) -> None:
    project.write(USERS)
    assert project.run("plan").code == 0
    assert project.run("plan", "--detailed-exitcode").code == 2
    project.apply()
    assert project.run("plan", "--detailed-exitcode").code == 0
    project.write("create nonsense {")
    assert project.run("plan", "--detailed-exitcode").code == 1


def test_every_fault_is_shown_with_its_line_and_a_caret(project: ProjectFolder) -> None:
    project.write(USERS.replace("not_null", "not_nul").replace('"INTEGER"', "var.nope"))
    ran = project.run("plan")
    assert ran.code == 1
    assert "main.kl:4" in ran.err
    assert "var.nope" in ran.err
    assert "^" in ran.err

    project.write(USERS.replace('"TEXT"', '"TEXT; DROP TABLE x"').replace("primary_key", "primry_key"))
    ran = project.run("plan")
    assert ran.code == 1
    assert "sqlite_table.users" in ran.err
    assert "main.kl" in ran.err
    assert "primry_key" in ran.err
    assert "Traceback" not in ran.err


def test_json_errors_name_category_file_and_line(project: ProjectFolder) -> None:
    project.write(USERS.replace("not_null", "not_nul"))
    error = project.run("plan", "--json").document["error"]
    assert error["category"] == "ValidationError"
    assert error["problems"][0]["resource"] == "sqlite_table.users"
    assert error["problems"][0]["file"].endswith("main.kl")
    assert error["problems"][0]["line"] > 1


def test_json_shapes_are_as_documented(project: ProjectFolder) -> None:
    project.write(USERS + POSTS + 'output "table" {\n  value = sqlite_table.users.name\n}\n')
    plan = project.ok("plan", "--json").document
    assert plan["command"] == "plan"
    assert plan["plan"]["summary"]["create"] == 3
    table = next(each for each in plan["plan"]["resources"] if each["address"] == "sqlite_table.users")
    assert table["action"] == "create"
    assert table["attributes"]
    assert table["steps"][0]["sql"][0].upper().startswith("CREATE TABLE")
    assert plan["plan"]["outputs"] == [
        {"name": "table", "action": "create", "before": None, "after": "users", "sensitive": False}
    ]

    applied = project.ok("apply", "--auto-approve", "--json").document
    assert applied["success"] is True
    assert {each["address"] for each in applied["results"]} == {
        "sqlite_table.users",
        "sqlite_table.posts",
        "sqlite_index.posts_by_author",
    }
    assert applied["outputs"]["table"]["value"] == "users"
    assert project.ok("output", "--json").document["outputs"]["table"]["value"] == "users"
    assert project.ok("graph", "--json").document["resources"]["sqlite_table.posts"] == ["sqlite_table.users"]
    assert project.ok("validate", "--json").document["valid"] is True
    installed = project.ok("providers", "--json").document["installed"]
    assert {"postgres", "sqlite"} <= {each["name"] for each in installed}
    schema = project.run("schema", "sqlite", "table", "--json").document["schema"]
    assert schema["resource_types"][0]["config_schema"]["attributes"]["columns"]["type"] == "list"
    assert len(project.ok("show", "--json").document["resources"]) == 3
    assert project.ok("version", "--json").document["version"]
    drift = project.run("drift", "--json").document
    assert "error" in drift or "findings" in drift


def test_documentation_names_every_command() -> None:
    text = (Path(__file__).parents[2] / "docs" / "json-output.md").read_text()
    for name in COMMANDS:
        assert f"`{name}" in text, name


def test_output_raw_is_for_scripts(project: ProjectFolder) -> None:
    project.write('output "n" {\n  value = 3\n}\noutput "l" {\n  value = [1]\n}\n' + USERS)
    project.apply()
    assert project.ok("output", "n", "--raw").out == "3"
    assert project.run("output", "l", "--raw").code == 1
    assert project.run("output", "nobody").code == 1


def test_fmt_check_diff_and_standard_input(project: ProjectFolder) -> None:
    project.write("locals {\na=1\n  bcd =   2\n}\n")
    check = project.run("fmt", "--check", "--diff")
    assert check.code == 1
    assert "+  a   = 1" in check.out
    assert "a=1" in (project.folder / "main.kl").read_text()
    assert "main.kl" in project.ok("fmt").out
    assert project.run("fmt", "--check").code == 0
    formatted = project.run("fmt", "-", stdin="locals {\na=1\n}\n")
    assert formatted.out == "locals {\n  a = 1\n}\n"
    project.write("locals {")
    assert project.run("fmt").code == 1


def test_graph_draws_for_dot_and_mermaid(project: ProjectFolder) -> None:
    project.write(USERS + POSTS)
    assert '"sqlite_table.posts" -> "sqlite_table.users";' in project.ok("graph").out
    assert project.ok("graph", "--format", "mermaid").out.startswith("flowchart LR")


def test_import_refuses_to_overwrite(project: ProjectFolder) -> None:
    project.sql("CREATE TABLE a (id INTEGER)")
    project.write("# mine\n", "mine.kl")
    refused = project.run("import", "sqlite")
    assert refused.code == 1
    assert "mine.kl" in refused.err
    assert (project.folder / "mine.kl").read_text() == "# mine\n"
    project.ok("import", "sqlite", "--force")
    unknown = project.run(
        "import", "sqlite", "--out", str(project.folder / "elsewhere"), "--type", "function"
    )
    assert unknown.code == 1
    missing = project.run("import", "nonesuch", "--out", str(project.folder / "elsewhere"))
    assert 'no provider "nonesuch"' in missing.err


def test_without_a_database_it_says_which_variable_to_set(project: ProjectFolder) -> None:
    project.environment.pop("KOLUMN_SQLITE_URL")
    project.write(USERS)
    ran = project.run("plan")
    assert ran.code == 1
    assert "KOLUMN_SQLITE_URL" in ran.err
    project.write('provider "sqlite" {}\n' + USERS)
    ran = project.run("plan")
    assert ran.code == 1
    assert "KOLUMN_SQLITE_URL" in ran.err


def test_no_colour_without_a_terminal_and_no_broken_pipe_noise(project: ProjectFolder) -> None:
    project.write(USERS)
    assert "\x1b[" not in project.ok("plan").out
    process = project.start("plan")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()
    process.wait(timeout=30)


def test_control_characters_in_configuration_do_not_reach_the_terminal(project: ProjectFolder) -> None:
    project.write(USERS.replace('"email"', '"e\\u001b]0;title\\u0007mail"'))
    ran = project.run("plan")
    assert "\x1b" not in ran.out + ran.err
    assert "\x07" not in ran.out + ran.err


def test_version_is_quick_and_loads_next_to_nothing() -> None:
    code = (
        "import sys, resource; from kolumn.cli.main import main; main(['version']);"
        "used = resource.getrusage(resource.RUSAGE_SELF); print(used.ru_utime + used.ru_stime);"
        "print(sorted({'msgspec', 'rich', 'structlog', 'sqlite3', 'importlib.metadata'} & set(sys.modules)))"
    )
    best = 9.9
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=True
        )
        _, seconds, loaded = done.stdout.splitlines()
        assert loaded == "[]"
        best = min(best, float(seconds))
    assert best < 0.1


@pytest.mark.parametrize(
    ("provider", "package"), [("duckdb", "duckdb"), ("mysql", "pymysql"), ("postgres", "psycopg")]
)
def test_a_driver_that_is_not_installed(project: ProjectFolder, provider: str, package: str) -> None:
    project.write(f'create "{provider}_table" "t" {{\n  columns = {{ a = "integer" }}\n}}\n')
    without = (
        f"import sys; sys.modules[{package!r}] = None\n"
        f"from kolumn.cli.main import main; sys.exit(main(['plan', '-C', {str(project.folder)!r}]))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", without],
        env={**os.environ, f"KOLUMN_{provider.upper()}_URL": f"{provider}:///{provider}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert f"pip install 'kolumn[{provider}]'" in ran.stderr, ran.stderr
    assert "report it" not in ran.stderr
