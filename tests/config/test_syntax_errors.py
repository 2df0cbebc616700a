"""Broken files: every fault, where it is, never a crash, a hang or a leaked secret."""

from __future__ import annotations

import random
import time

import pytest

from kolumn.config import evaluate, load
from kolumn.contract.errors import ValidationError

SECRET = "planted-s3cret"

VALID = f"""
provider "sqlite" {{
  path     = "a.db"
  password = "{SECRET}"
}}

variable "pw" {{
  type      = string
  sensitive = true
  default   = "{SECRET}"
}}

locals {{
  names = {{ for k, v in {{ a = 1, b = 2 }} : k => "${{v}}%{{if v > 1}}!%{{endif}}" }}
  text  = <<-EOT
    one ${{upper("two")}}
      three
  EOT
}}

create "sqlite_table" "users" {{
  for_each = local.names
  name     = "t_${{each.key}}" # comment
  column "id" {{ type = "integer", primary_key = true }}
  column "ref" {{
    type       = cond(1) ? [1, 2][0] : null
    references = sqlite_table.users["a"].id
  }}
  foreign_key {{
    columns = ["a", "b"]
  }}
}}

output "all" {{
  value = [for t in sqlite_table.users : t.name]
}}
""".replace("cond(1)", "1 > 2")


def faults(folder, text):
    (folder / "main.kl").write_text(text, encoding="utf-8", newline="")
    with pytest.raises(ValidationError) as caught:
        evaluate(load(folder, environ={}))
    return caught.value


def test_the_base_of_the_corpus_is_valid(folder):
    (folder / "main.kl").write_text(VALID)
    assert len(evaluate(load(folder, environ={})).resources) == 2


def test_all_faults_of_all_files_with_their_places(folder):
    (folder / "z.kl").write_text('create "a_b" "c" {\n  x = = 1\n}\n')
    error = faults(
        folder,
        'create "sqlite_table" "a" {\n'
        "  one = [1, 2\n"
        "  two = 3 +\n"
        '  ok = "fine"\n'
        '  three = "open\n'
        "  four = 'x'\n"
        "}\n"
        'variable "v" { default = 5 5 }\n'
        "stray = 1\n"
        'output "o" {\n  value = ${x}\n}\n',
    )
    places = sorted(
        (problem.location.file.rsplit("/", 1)[1], problem.location.line)
        for problem in error.problems
        if problem.location
    )
    assert places == [
        ("main.kl", 3),
        ("main.kl", 3),
        ("main.kl", 5),
        ("main.kl", 6),
        ("main.kl", 8),
        ("main.kl", 9),
        ("main.kl", 11),
        ("z.kl", 2),
    ]


def test_caret(folder):
    problem = faults(folder, "locals {\n  abc = 1 +* 2\n}\n").problems[0]
    assert problem.location.line == 2
    assert problem.location.source == "  abc = 1 +* 2"
    assert problem.location.source[problem.location.column - 1] == "*"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('create "a_b" "c" {\n  x = 1\n', "not closed"),
        ('create "a_b" "c" {\n  x = 1\ncreate "a_b" "d" {\n}\n', "not closed"),
        ("locals {\n  a = <<EOT\nx\n}\n", "heredoc is not closed"),
        ("/* never closed", "comment is not closed"),
        ('locals { a = "%{if true}x" }', "not closed"),
        ('locals { a = "%{endif}" }', "no %{if}"),
        ('locals { a = "x${}" }', "Expected a value"),
        ("locals {\n  a = 1\n  a = 2\n}", "set twice"),
        ("}", "closes nothing"),
        ('"locals" {}', "without quotes"),
        ("locals { a == 1 }", "Expected"),
        ("locals { a = 1 & 2 }", "&&"),
        ("\ufefflocals {\r\n  a = ]\r\n}\r\n", "Expected a value"),
    ],
)
def test_message(folder, text, message):
    assert message in str(faults(folder, text))


def test_not_utf8(folder):
    (folder / "main.kl").write_bytes(b'locals {\n  a = "\xff"\n}\n')
    with pytest.raises(ValidationError, match="UTF-8") as caught:
        load(folder, environ={})
    assert caught.value.problems[0].location.line == 2


def test_a_file_with_crlf_and_mark_is_fine(folder):
    (folder / "main.kl").write_bytes(
        b'\xef\xbb\xbflocals {\r\n  a = <<EOT\r\nx\r\nEOT\r\n}\r\noutput "a" { value = local.a }\r\n'
    )
    assert evaluate(load(folder, environ={})).outputs[0].value == "x\n"


def mutate(text: str, chance: random.Random) -> str:
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(text))
        kind = chance.randrange(6)
        if kind == 0:
            text = text[:at] + text[at + chance.randint(1, 12) :]
        elif kind == 1:
            text = (
                text[:at]
                + chance.choice([*"{}[]()\"'$%~=:,.<>?!\\\n\0#*&|é", "${", "%{", "<<E\n", "/*"])
                + text[at:]
            )
        elif kind == 2:
            other = chance.randrange(len(text))
            copied = text[other : other + 30]
            # Somebody who copies a secret into a table has published it himself.
            text = text[:at] + ("" if SECRET in copied else copied) + text[at:]
        elif kind == 3:
            text = text[:at]
        elif kind == 4:
            text = (
                text[:at]
                + chance.choice(["for ", "null", "each.", "var.", "local.text", "1e999", "-" * 50])
                + text[at:]
            )
        else:
            text = text[:at] + text[at : at + 5] * chance.randint(2, 60) + text[at:]
        text = text or "x"
    return text


def outcome(folder) -> ValidationError | None:
    try:
        evaluate(load(folder, environ={}))
    except ValidationError as error:
        return error
    return None


@pytest.mark.parametrize("seed", range(12))
def test_mutated_files(folder, seed):
    chance = random.Random(seed)
    broken = 0
    for _ in range(50):
        text = mutate(VALID, chance)
        (folder / "main.kl").write_text(text, encoding="utf-8", newline="")
        began = time.monotonic()
        error = outcome(folder)
        if error is not None:
            broken += 1
            shown = str(error) + str(error.details)
            shown += "".join(problem.location.source for problem in error.problems if problem.location)
            assert SECRET not in shown
            assert error.problems
        assert time.monotonic() - began < 1
    assert broken > 25
