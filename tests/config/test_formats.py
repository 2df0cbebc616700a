"""Formatter, writer, JSON twin and cache: what goes in comes out."""

from __future__ import annotations

import json
import stat
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kolumn.config import (
    Labelled,
    Unlabelled,
    WrittenProvider,
    WrittenResource,
    evaluate,
    format_source,
    load,
    load_project,
    locate,
    write_project,
)
from kolumn.config.cache import FILE, FOLDER, read, write
from kolumn.config.diagnostics import Source
from kolumn.config.evaluation import evaluate_fully
from kolumn.config.parser import parse
from kolumn.contract.errors import ValidationError

# Formatter

UGLY = """variable "x"   {
type=string // kind
   default="a"    # why

}
create "sqlite_table" "t" {


  column "id" {type="integer",primary_key=true}
  foo=-1 - -2*!a[ 0 ].b.*.c
  longer   = {for k,v in var.x:k=>v...if v>1}
  text = <<-EOT
     kept   as is
   EOT
  z=cond?1:{
      a=1
    bbb = 2 // two
  }
  /* a
     b */
  w = f({
  a = 1
  }, [
  2
  ])
}
locals {}
"""

PRETTY = """variable "x" {
  type    = string // kind
  default = "a"    # why
}

create "sqlite_table" "t" {
  column "id" { type = "integer", primary_key = true }
  foo    = -1 - -2 * !a[0].b.*.c
  longer = { for k, v in var.x : k => v... if v > 1 }
  text   = <<-EOT
     kept   as is
   EOT
  z = cond ? 1 : {
    a   = 1
    bbb = 2 // two
  }
  /* a
     b */
  w = f({
    a = 1
  }, [
    2
  ])
}

locals {}
"""


def test_layout():
    assert format_source(UGLY, "main.kl") == PRETTY
    assert format_source(PRETTY, "main.kl") == PRETTY


def test_a_broken_file_is_refused():
    with pytest.raises(ValidationError):
        format_source("locals {\n  a = \n}\n", "main.kl")


def test_variable_and_json_files():
    assert format_source("a=1\nlong=[1,\n2]\n", "x.klvars") == "a = 1\nlong = [1,\n  2]\n"
    assert format_source('{"a":[1]}', "x.kl.json") == '{\n  "a": [\n    1\n  ]\n}\n'


names = st.from_regex(r"[a-z_][a-z0-9_-]{0,6}", fullmatch=True).filter(
    lambda name: name not in ("true", "false", "null", "for", "in", "if")
)
spaces = st.sampled_from(["", " ", "  ", " /* c */ "])
texts = st.text(
    st.characters(blacklist_categories=("Cs",), blacklist_characters='"\\${}%\n\r'), max_size=8
).map(lambda text: f'"{text}"')
atoms = st.one_of(
    st.integers(0, 999).map(str),
    texts,
    names.map(lambda name: f"var.{name}"),
    st.just('"a${ f( 1 ) }%{ if true }x%{ endif }"'),
    st.sampled_from(["true", "null", "1.5e3", "a[*].b", "a.*.b", "a.0.b"]),
)


def combined(inner):
    return st.one_of(
        st.tuples(inner, spaces, st.sampled_from(["+", "-", "*", "==", "&&", "%", "<="]), spaces, inner).map(
            lambda parts: f"{parts[0]} {parts[1]}{parts[2]}{parts[3]}{parts[4]}"
        ),
        inner.map(lambda one: f"-({one})"),
        inner.map(lambda one: f"( {one}\n)"),
        st.lists(inner, max_size=3).map(lambda items: "[" + " ,\n".join(items) + "]"),
        st.tuples(names, st.lists(inner, max_size=2)).map(lambda call: f"{call[0]}( {','.join(call[1])} )"),
        st.lists(st.tuples(names, inner), max_size=3).map(
            lambda pairs: "{" + ",".join(f"{key}={value}" for key, value in pairs) + "}"
        ),
        st.lists(st.tuples(names, inner), min_size=1, max_size=3).map(
            lambda pairs: "{\n" + "".join(f"{key}  :  {value} # c\n" for key, value in pairs) + "}"
        ),
        st.tuples(inner, inner, inner).map(lambda three: f"({three[0]})?{three[1]}:{three[2]}"),
        st.tuples(inner, inner).map(lambda two: f"[for k,v in {two[0]}:{two[1]} if !v]"),
        st.tuples(inner, inner).map(lambda two: f"{{for v in {two[0]}:v=>{two[1]}...}}"),
    )


expressions = st.recursive(atoms, combined, max_leaves=8)
heredocs = st.sampled_from(["<<EOT\n  x ${ 1 }\n\n}\nEOT", "<<-E_1\n    y\n  E_1"])


@st.composite
def bodies(draw, depth=0):
    lines = []
    for number in range(draw(st.integers(0, 4))):
        kind = draw(st.integers(0, 6))
        margin = draw(st.sampled_from(["", "  ", "\t", "     "]))
        if kind == 0:
            lines.append(f"{margin}# comment {number}   ")
        elif kind == 1:
            lines.append("\n")
        elif kind == 2 and depth < 2:
            label = draw(st.sampled_from(["", '"l" ', '"l"  "m"']))
            lines.append(f"{margin}b{number}{depth}  {label}{{\n{draw(bodies(depth + 1))}\n }}")
        elif kind == 3:
            lines.append(f'{margin}one{number} "x{number}" {{a=1,b =  [ 2 ]}}// end')
        else:
            value = draw(st.one_of(expressions, heredocs))
            comment = "" if value.startswith("<<") else draw(st.sampled_from(["", " # c", "// d", "/* e */"]))
            lines.append(f"{margin}{draw(names)}{number}{draw(st.sampled_from(['', ' ']))}={value}{comment}")
    return "\n".join(lines)


files = st.lists(bodies(), max_size=3).map(
    lambda found: "\n".join(f'create "a_b" "n{number}" {{\n{body}\n}}' for number, body in enumerate(found))
)


@settings(max_examples=120, deadline=None)
@given(files)
def test_formatting_keeps_meaning_and_is_stable(text):
    before, problems = parse(Source("a.kl", text))
    assert not problems
    formatted = format_source(text, "a.kl")
    after, problems = parse(Source("a.kl", formatted))
    assert not problems
    assert after == before
    assert format_source(formatted, "a.kl") == formatted
    assert formatted.count("#") == text.count("#")


# Writer

anything = st.text(st.characters(blacklist_categories=("Cs",)), max_size=12)
tricky = st.one_of(
    anything,
    st.sampled_from(
        [
            "${x}",
            "$${x}",
            "$$${",
            "%{if}",
            "%%{",
            "a\nb\n",
            "EOT\nEOT\n",
            " \n \n",
            "a\r\nb\n",
            '"',
            "\\",
            "\x00\x1b",
            "é\u2028😀",
        ]
    ),
    st.lists(anything, max_size=4).map("\n".join).map(lambda text: text + "\n"),
)
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), tricky
)
data = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(tricky, inner, max_size=4)),
    max_leaves=8,
)
reserved = {"dynamic", "provider", "depends_on", "count", "for_each", "lifecycle", "name"}
attributes = names.filter(lambda name: name not in reserved)


def contents(depth):
    values = data
    if depth:
        inner = contents(depth - 1)
        values = st.one_of(
            data,
            st.dictionaries(tricky, inner, min_size=1, max_size=3).map(Labelled),
            st.lists(inner, min_size=1, max_size=3).map(Unlabelled),
        )
    return st.dictionaries(attributes, values, max_size=4)


configs = st.tuples(anything, contents(2)).map(lambda pair: {"name": pair[0], **pair[1]})


def ordered(value):
    """Dicts as pairs, so that order counts."""
    if isinstance(value, dict):
        return [(key, ordered(item)) for key, item in value.items()]
    return [ordered(item) for item in value] if isinstance(value, list) else value


@settings(max_examples=60, deadline=None)
@given(st.lists(configs, max_size=4))
def test_what_is_written_evaluates_to_the_same(found):
    resources = [WrittenResource("sqlite_table", config["name"], config) for config in found]
    texts = write_project(
        resources, [WrittenProvider("sqlite", {"path": "x ${y}.db"}), WrittenProvider("sqlite", {}, "b")]
    )
    with tempfile.TemporaryDirectory() as name:
        for file, text in texts.items():
            assert format_source(text, file) == text
            Path(name, file).write_text(text, encoding="utf-8", newline="")
        project = evaluate(load(Path(name), environ={}))
    assert [ordered(resource.config) for resource in project.resources] == [
        ordered(config) for config in found
    ]
    assert [provider.address for provider in project.providers] == ["sqlite", "sqlite.b"]
    assert project.providers[0].config == {"path": "x ${y}.db"}


def test_labels_are_identifiers_and_unique():
    texts = write_project(
        [WrittenResource("a_table", name, {"name": name}) for name in ("x y", "x-y", "x_y", "1", "")]
    )
    blocks, problems = parse(Source("main.kl", texts["main.kl"]))
    assert not problems
    assert [block.labels[1] for block in blocks] == ["x_y", "x-y", "x_y_2", "_1", "unnamed"]


def test_what_cannot_be_written_is_refused():
    for value in (float("nan"), object(), "\ud800"):
        with pytest.raises(ValidationError):
            write_project([WrittenResource("a_table", "x", {"v": value})])


# JSON


def escaped(value):
    """Texts of a .kl.json file are templates."""
    if isinstance(value, str):
        return value.replace("${", "$${").replace("%{", "%%{")
    if isinstance(value, dict):
        return {escaped(key): escaped(item) for key, item in value.items()}
    return [escaped(item) for item in value] if isinstance(value, list) else value


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(attributes, data, max_size=4))
def test_json_twin_is_the_same_model(config):
    document = {"create": {"sqlite_table": {"t": {"name": "t", **escaped(config)}}}}
    with tempfile.TemporaryDirectory() as name:
        Path(name, "main.kl.json").write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
        project = evaluate(load(Path(name), environ={}))
    assert ordered(project.resources[0].config) == ordered({"name": "t", **config})


def test_json_with_references_and_mixed_files(build):
    project = build(
        {
            "a.kl": 'variable "n" { default = 2 }\ncreate "sqlite_table" "users" {}\n',
            "b.kl.json": json.dumps(
                {
                    "//": "a comment",
                    "provider": {"sqlite": [{"path": "a"}, {"alias": "two", "path": "b"}]},
                    "locals": {"text": "n is ${var.n}"},
                    "create": {
                        "sqlite_table": {
                            "posts": {
                                "count": "${var.n}",
                                "provider": "sqlite.two",
                                "depends_on": ["sqlite_table.users"],
                                "lifecycle": {"prevent_destroy": True},
                                "column": {
                                    "user": {"type": "integer", "references": "${sqlite_table.users.id}"}
                                },
                                "comment": "${local.text}",
                                "dynamic": {
                                    "check": {"for_each": ["a"], "content": {"sql": "${check.value}"}}
                                },
                            }
                        }
                    },
                    "variable": {"m": {"type": "list(string)", "default": ["x"]}},
                    "output": {"m": {"value": "${var.m[0]}"}},
                }
            ),
        }
    )
    post = project.resources[1]
    assert post.address == "sqlite_table.posts[0]"
    assert post.provider == "sqlite.two"
    assert post.depends_on == ("sqlite_table.users",)
    assert post.lifecycle.prevent_destroy
    assert post.config["column"] == {"user": {"type": "integer", "references": "users(id)"}}
    assert post.config["comment"] == "n is 2"
    assert post.config["check"] == [{"sql": "a"}]
    assert project.outputs[0].value == "x"


@pytest.mark.parametrize(
    "text", ["", "[", '{"create": 1}', '{"a": 1, "a": 2}', '{"locals": {"x": "${"}}', "{}x", "[" * 5000]
)
def test_broken_json(folder, text):
    (folder / "main.kl.json").write_text(text)
    with pytest.raises(ValidationError) as caught:
        load(folder, environ={})
    assert caught.value.problems[0].location.line == 1


# Cache


@pytest.fixture
def cached(folder):
    (folder / "main.kl").write_text(
        'variable "v" { default = "a" }\nmodule "m" {\n  source = "./m"\n}\n'
        'create "sqlite_table" "t" {\n  column "id" { type = var.v }\n}\n'
    )
    (folder / "m").mkdir()
    (folder / "m" / "m.kl").write_text('create "sqlite_table" "u" { big = 12 }')
    return folder


def run(folder, **options):
    configuration, project = load_project(folder, environ=options.pop("environ", {}), **options)
    return project, "loaded" not in configuration.__dict__, configuration


def test_a_hit_parses_nothing_and_is_equal(cached):
    first, hit, _ = run(cached)
    assert not hit
    second, hit, configuration = run(cached)
    assert hit
    assert second == first
    assert locate(configuration, "sqlite_table.t", "column.id.type").line == 6
    assert stat.S_IMODE((cached / FOLDER / FILE).stat().st_mode) == 0o600


literals = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=("Cs",), exclude_characters="$%"), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(names.map("a_{}".format), literals, max_size=4))
def test_what_is_as_it_was_written_is_kept_without_a_second_look(attributes):
    with tempfile.TemporaryDirectory() as written:
        folder = Path(written)
        blocks = {"create": {"sqlite_table": {"t": attributes}}}
        (folder / "main.kl.json").write_text(json.dumps(blocks))
        configuration = load(folder, environ={})
        evaluated = evaluate_fully(configuration)
        assert evaluated.literal
        write(configuration, evaluated.project, literal=True)
        kept = read(configuration)
        assert kept == evaluated.project
        assert repr(kept) == repr(evaluated.project)


def test_what_is_computed_is_not_literal(cached):
    assert not evaluate_fully(load(cached, environ={})).literal


def test_every_input_counts(cached):
    run(cached)
    assert not run(cached, var=[("v", "b")])[1]
    assert run(cached, var=[("v", "b")])[0].resources[0].config["column"]["id"]["type"] == "b"
    assert not run(cached, environ={"KOLUMN_VAR_v": "c"})[1]
    run(cached)
    (cached / "m" / "m.kl").write_text('create "sqlite_table" "u" { big = 13 }')
    project, hit, _ = run(cached)
    assert not hit
    assert project.resources[1].config["big"] == 13
    (cached / "kolumn.klvars").write_text('v = "d"')
    assert not run(cached)[1]
    (cached / "new.kl").write_text('create "sqlite_table" "n" {}')
    assert len(run(cached)[0].resources) == 3
    assert not run(cached, cache=False)[1]


def test_a_moved_folder_is_evaluated_again(cached, tmp_path_factory):
    (cached / "more.kl").write_text('output "x" { value = path.module }')
    run(cached)
    assert run(cached)[1]
    moved = tmp_path_factory.mktemp("other") / "place"
    cached.rename(moved)
    project, hit, _ = run(moved)
    assert not hit
    assert project.outputs[0].value == str(moved)


def test_a_damaged_cache_is_ignored(cached):
    whole = run(cached)[0]
    path = cached / FOLDER / FILE
    kept = path.read_bytes()
    for damaged in (b"", b"{}", kept[:50], kept[:-20], b"\xff" + kept, kept.replace(b'"sqlite_table"', b"7")):
        path.write_bytes(damaged)
        assert run(cached)[0] == whole
    path.unlink()
    path.mkdir()
    assert run(cached)[0] == whole


@pytest.mark.parametrize(
    "more",
    [
        'output "x" { value = timestamp() }',
        'output "x" { value = file("main.kl") }',
        'output "x" { value = env("X", "y") }',
        'variable "s" {\n  sensitive = true\n  default = "pw"\n}',
        'discover "sqlite_table" "d" {}',
    ],
)
def test_what_may_change_is_not_kept(cached, more):
    (cached / "more.kl").write_text(more)
    for _ in range(2):
        assert not run(cached, discover=lambda _: {})[1]
