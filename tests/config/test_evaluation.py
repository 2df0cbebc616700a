"""Blocks, references, repetition, modules, discovery, variables and secrets."""

from __future__ import annotations

import pytest

from kolumn.config import UNKNOWN, evaluate, evaluate_providers, load, locate
from kolumn.contract.errors import ConnectionError as Unreachable
from kolumn.contract.errors import ValidationError


def by_address(project):
    return {resource.address: resource for resource in project.resources}


def fails(build, files, *parts, **options):
    with pytest.raises(ValidationError) as caught:
        build(files, **options)
    text = str(caught.value)
    for part in parts:
        assert part in text, text
    return caught.value


def test_bodies_become_plain_data_in_file_order(build):
    config = (
        build(
            """
            create "sqlite_table" "users" {
              strict = true
              column "id" { type = "bigserial", primary_key = true }
              foreign_key {
                columns = ["a"]
              }
              column "a" {
                type = "text"
              }
              foreign_key { columns = ["b"] }
              option "x" "y" { z = 1 }
              comment = "last"
            }
            """
        )
        .resources[0]
        .config
    )
    assert list(config) == ["name", "strict", "column", "foreign_key", "option", "comment"]
    assert config["name"] == "users"
    assert list(config["column"].items()) == [
        ("id", {"type": "bigserial", "primary_key": True}),
        ("a", {"type": "text"}),
    ]
    assert config["foreign_key"] == [{"columns": ["a"]}, {"columns": ["b"]}]
    assert config["option"] == {"x": {"y": {"z": 1}}}


REFERENCED = """
create "sqlite_table" "users" {
  name   = "people"
  schema = "main"
  column "id" { type = "integer" }
  columns_count = 1
}
"""


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("sqlite_table.users", "main.people"),
        ("sqlite_table.users.name", "people"),
        ("sqlite_table.users.schema", "main"),
        ("sqlite_table.users.id", "id"),
        ("sqlite_table.users.type", "sqlite_table"),
        ("sqlite_table.users.column.id.type", "integer"),
        ("keys(sqlite_table.users.columns)", ["id"]),
        ('"on ${sqlite_table.users}"', "on main.people"),
        ("local.table.name", "people"),
    ],
)
def test_reference_and_its_dependency(build, expression, expected):
    project = build(
        REFERENCED
        + "locals {\n  table = sqlite_table.users\n}\n"
        + f'create "sqlite_index" "i" {{\n  value = {expression}\n}}'
    )
    index = by_address(project)["sqlite_index.i"]
    assert index.config["value"] == expected
    assert index.depends_on == ("sqlite_table.users",)


@pytest.mark.parametrize(
    ("expression", "expected", "depends"),
    [
        ("sqlite_table.users.id", "main.people(id)", True),
        ("sqlite_table.users.name", "main.people(name)", True),
        ("sqlite_table.users", "main.people", True),
        ("users.id", "main.people(id)", True),
        ("people.id", "main.people(id)", True),
        ("strangers.id", "strangers(id)", False),
        ('"users(id)"', "users(id)", False),
        ('"${sqlite_table.users.name}(id)"', "people(id)", True),
        ("[sqlite_table.users.a, sqlite_table.users.b]", ["main.people(a)", "main.people(b)"], True),
    ],
)
def test_references_attribute(build, expression, expected, depends):
    project = build(
        REFERENCED
        + f"""
        create "sqlite_table" "posts" {{
          column "user" {{
            references = {expression}
          }}
        }}"""
    )
    posts = by_address(project)["sqlite_table.posts"]
    assert posts.config["column"]["user"]["references"] == expected
    assert posts.depends_on == (("sqlite_table.users",) if depends else ())


def test_tables_may_reference_each_other_and_themselves(build):
    project = build(
        """
        create "sqlite_table" "a" {
          column "b" { references = sqlite_table.b.id }
          column "own" { references = a.own, check = "${sqlite_table.a.own} > 0" }
        }
        create "sqlite_table" "b" {
          column "a" { references = sqlite_table.a.id }
        }
        """
    )
    a, b = project.resources
    assert a.config["column"] == {
        "b": {"references": "b(id)"},
        "own": {"references": "a(own)", "check": "own > 0"},
    }
    assert (a.depends_on, b.depends_on) == (("sqlite_table.b",), ("sqlite_table.a",))


def test_cycles_are_named(build):
    error = fails(
        build,
        """
        locals {
          a = local.b
          b = local.c
          c = local.a
        }
        create "sqlite_view" "x" { sql = sqlite_view.y.sql }
        create "sqlite_view" "y" { sql = sqlite_view.x.sql }
        """,
        "local.a -> local.b -> local.c -> local.a",
        "sqlite_view.x.sql -> sqlite_view.y.sql -> sqlite_view.x.sql",
    )
    assert len(error.problems) == 2


def test_count_for_each_and_splat(build):
    project = build(
        """
        create "sqlite_table" "shard" {
          count = 2
          name  = "shard_${count.index}"
        }
        create "sqlite_table" "eu" {
          for_each = { b = 1, a = 2 }
          name     = "${each.key}${each.value}"
        }
        create "sqlite_view" "all" {
          tables = sqlite_table.shard[*].name
          one    = sqlite_table.shard[1]
          keyed  = sqlite_table.eu["a"].name
          named  = [for key, table in sqlite_table.eu : "${key}:${table.name}"]
        }
        create "sqlite_view" "none" {
          count = 0
        }
        create "sqlite_view" "last" {
          depends_on = [sqlite_table.shard[0], sqlite_view.all]
        }
        """
    )
    found = by_address(project)
    assert list(found)[:4] == [
        "sqlite_table.shard[0]",
        "sqlite_table.shard[1]",
        'sqlite_table.eu["b"]',
        'sqlite_table.eu["a"]',
    ]
    view = found["sqlite_view.all"]
    assert view.config["tables"] == ["shard_0", "shard_1"]
    assert view.config["one"] == "shard_1"
    assert view.config["keyed"] == "a2"
    assert view.config["named"] == ["b:b1", "a:a2"]
    assert len(view.depends_on) == 4
    assert found["sqlite_view.last"].depends_on == ("sqlite_table.shard[0]", "sqlite_view.all")
    assert "sqlite_view.none" not in found


def test_dynamic_blocks(build):
    config = (
        build(
            """
            create "sqlite_table" "t" {
              column "id" { type = "integer" }
              dynamic "column" {
                for_each = ["a", "b"]
                iterator = it
                labels   = ["c_${it.value}"]
                content {
                  type = it.value
                }
              }
              dynamic "column" {
                for_each = { z = "text" }
                content { type = column.value }
              }
              dynamic "check" {
                for_each = toset(["x > 0"])
                content { expression = check.value }
              }
            }
            """
        )
        .resources[0]
        .config
    )
    assert list(config["column"]) == ["id", "c_a", "c_b", "z"]
    assert config["column"]["z"] == {"type": "text"}
    assert config["check"] == [{"expression": "x > 0"}]


MODULES = {
    "main.kl": """
        provider "sqlite" { path = "a.db" }
        provider "sqlite" "replica" { path = "b.db" }
        module "shop" {
          source     = "./shop"
          for_each   = toset(["eu", "us"])
          region     = each.key
          providers  = { sqlite = sqlite.replica }
          depends_on = [sqlite_table.base]
        }
        create "sqlite_table" "base" {}
        output "names" { value = { for k, m in module.shop : k => m.name } }
        output "one" { value = module.shop["eu"].name }
        create "sqlite_view" "v" { table = module.shop["us"].table }
        """,
    "shop/main.kl": """
        variable "region" { type = string }
        create "sqlite_table" "orders" { name = "orders_${var.region}" }
        module "inner" {
          source = "../inner"
          label  = upper(var.region)
        }
        output "name" { value = "${sqlite_table.orders.name}/${module.inner.out}" }
        output "table" { value = sqlite_table.orders }
        moved {
          from = sqlite_table.old
          to   = sqlite_table.orders
        }
        """,
    "inner/main.kl": 'variable "label" {}\noutput "out" { value = var.label }\n'
    'create "sqlite_table" "x" {}\n',
}


def test_modules(build):
    project = build(MODULES)
    found = by_address(project)
    orders = found['module.shop["eu"].sqlite_table.orders']
    assert orders.name == 'module.shop["eu"].orders'
    assert orders.provider == "sqlite.replica"
    assert orders.config == {"name": "orders_eu"}
    assert orders.depends_on == ("sqlite_table.base",)
    assert 'module.shop["us"].module.inner.sqlite_table.x' in found
    assert found["sqlite_view.v"].config["table"] == "orders_us"
    assert found["sqlite_view.v"].depends_on == ('module.shop["us"].sqlite_table.orders',)
    outputs = {output.name: output.value for output in project.outputs}
    assert outputs == {"names": {"eu": "orders_eu/EU", "us": "orders_us/US"}, "one": "orders_eu/EU"}
    assert {move.target for move in project.moved} == {
        'module.shop["eu"].sqlite_table.orders',
        'module.shop["us"].sqlite_table.orders',
    }


def test_module_faults(build):
    fails(
        build,
        {"main.kl": 'module "a" {\n  source = "./a"\n  colour = 1\n}', "a/m.kl": 'variable "color" {}'},
        "has no variable colour",
        'Did you mean "color"?',
        "needs color",
    )
    fails(
        build,
        {"main.kl": 'module "a" {\n  source = "./b"\n}', "b/m.kl": 'module "c" {\n source = "../b"\n}'},
        "itself",
    )
    fails(build, {"main.kl": 'module "a" {\n  source = "./nowhere"\n}'}, "has no .kl file")


def test_discover_in_dependency_order(build):
    asked = []

    def discover(wanted):
        asked.append((wanted.address, wanted.provider, dict(wanted.filters)))
        return {"name": f"found_{len(asked)}", "rows": 3}

    files = """
        provider "sqlite" { path = "x" }
        discover "sqlite_table" "second" { name = discover.first.name }
        discover "sqlite_table" "first" { pattern = "a*" }
        create "sqlite_view" "v" {
          sql   = "select * from ${discover.second.name}"
          typed = discover.sqlite_table.first.rows
        }
        """
    project = build(files, discover=discover)
    assert asked == [
        ("discover.first", "sqlite", {"pattern": "a*"}),
        ("discover.second", "sqlite", {"name": "found_1"}),
    ]
    assert project.resources[0].config["sql"] == "select * from found_2"
    assert project.resources[0].config["typed"] == 3
    unknown = build(files)
    assert unknown.resources[0].config["sql"] is UNKNOWN

    def broken(wanted):
        raise Unreachable("down")

    with pytest.raises(Unreachable):
        build(files, discover=broken)


def test_providers_alone(folder):
    (folder / "main.kl").write_text(
        'variable "p" { default = "x.db" }\nprovider "sqlite" { path = var.p }\n'
        'provider "sqlite" {\n  alias = "two"\n  path = "y"\n}\n'
    )
    first, second = evaluate_providers(load(folder, environ={}))
    assert (first.address, first.config) == ("sqlite", {"path": "x.db"})
    assert (second.address, second.config) == ("sqlite.two", {"path": "y"})


def test_lifecycle_meta_and_settings(build):
    project = build(
        """
        kolumn {
          required_version = ">= 0.1"
          required_providers { sqlite = { version = "1" } }
        }
        create "sqlite_table" "a" {
          provider = sqlite
          lifecycle {
            prevent_destroy = true
            ignore_changes  = [name, "x.y", column["a b"].type]
          }
        }
        create "sqlite_table" "b" {
          lifecycle { ignore_changes = all }
        }
        moved {
          from = sqlite_table.old["x"]
          to   = sqlite_table.a
        }
        """
    )
    a, b = project.resources
    assert a.lifecycle.prevent_destroy is True
    assert a.lifecycle.ignore_changes == ("name", "x.y", 'column["a b"].type')
    assert b.lifecycle.ignore_changes == ("all",)
    assert "lifecycle" not in a.config
    assert project.moved[0].source == 'sqlite_table.old["x"]'
    assert project.required_version == ">= 0.1"
    assert project.required_providers == {"sqlite": {"version": "1"}}


def test_variable_precedence(build, folder):
    files = {
        "main.kl": 'variable "v" {\n  type = number\n  default = 1\n}\noutput "x" { value = var.v }',
    }

    def result(**options):
        return build(files, **options).outputs[0].value

    assert result() == 1
    assert result(environ={"KOLUMN_VAR_v": "2"}) == 2
    files["kolumn.klvars"] = "v = 3"
    assert result(environ={"KOLUMN_VAR_v": "2"}) == 3
    files["a.auto.klvars"] = "v = 4"
    files["b.auto.klvars.json"] = '{"v": 5}'
    assert result() == 5
    (folder / "extra.klvars").write_text("v = 6")
    assert result(var_files=[folder / "extra.klvars"]) == 6
    assert result(var_files=[folder / "extra.klvars"], var=[("v", "7")]) == 7
    ordered = [("var", "v=7"), ("var-file", str(folder / "extra.klvars"))]
    assert result(arguments=ordered) == 6


def test_variable_types(build):
    project = build(
        """
        variable "o" {
          type    = object({ a = string, b = optional(number, 3), c = optional(list(string)) })
          default = { a = 5, dropped = 1 }
        }
        variable "s" { type = "set(string)" }
        variable "t" { type = tuple([string, bool]) }
        output "o" { value = var.o }
        output "s" { value = var.s }
        output "t" { value = var.t }
        """,
        var=[("s", '["b", "a", "b"]'), ("t", '[1, "true"]')],
    )
    assert [output.value for output in project.outputs] == [
        {"a": "5", "b": 3, "c": None},
        ["a", "b"],
        ["1", True],
    ]


def test_variable_faults_all_at_once(build):
    error = fails(
        build,
        """
        variable "missing" {}
        variable "number" { type = number }
        variable "small" {
          default = 1
          validation {
            condition     = var.small > 5
            error_message = "It is only ${var.small}."
          }
        }
        variable "never" {
          default  = null
          nullable = false
        }
        """,
        "-var missing=VALUE",
        "Expected a number",
        "It is only 1.",
        "cannot be null",
        var=[("number", "many")],
    )
    assert len(error.problems) == 4
    fails(build, 'variable "colour" { default = 1 }', 'Did you mean "colour"?', var=[("color", "1")])


def test_undeclared_in_a_file_is_a_warning(folder):
    (folder / "main.kl").write_text('variable "a" { default = 1 }')
    (folder / "kolumn.klvars").write_text("b = 2")
    configuration = load(folder, environ={})
    assert "no variable b" in configuration.warnings[0].message


SECRET = "hunter2-planted"


def test_secrets_propagate(build):
    project = build(
        """
        variable "pw" { sensitive = true }
        locals { url = "db://u:${var.pw}@h" }
        provider "sqlite" { password = var.pw }
        create "sqlite_table" "t" {
          comment = "x${local.url}"
          column "a" {
            type    = "text"
            default = upper(var.pw)
          }
        }
        output "hidden" {
          value     = { p = var.pw }
          sensitive = true
        }
        output "shown" { value = nonsensitive("a") }
        """,
        var=[("pw", SECRET)],
    )
    table = project.resources[0]
    assert table.sensitive == {"comment", "column.a.default"}
    assert table.config["comment"] == f"xdb://u:{SECRET}@h"
    assert project.providers[0].config == {"password": SECRET}
    assert SECRET in project.secrets
    assert project.outputs[0].sensitive
    assert SECRET not in repr(project)


@pytest.mark.parametrize(
    "block",
    [
        'output "x" { value = "${var.pw}!" }',
        'output "x" { value = [for c in [var.pw] : c] }',
        'create "sqlite_table" "t" { count = length(var.pw) }',
        'create "sqlite_table" "t" { for_each = toset([var.pw]) }',
        'output "x" { value = tonumber(var.pw) }',
        'output "x" { value = { a = 1 }[var.pw] }',
        'output "x" { value = { (var.pw) = 1 } }',
        'output "x" { value = var.pw.x }',
        'output "x" { value = file(var.pw) }',
        'output "x" { value = regex(var.pw, "a") }',
        'output "x" { value = format("%d", var.pw) }',
        (
            'variable "y" {\n default = "a"\n validation {\n condition = false\n'
            ' error_message = "${file("s.txt")}${var.y}"\n }\n}'
        ),
    ],
)
def test_no_secret_in_an_error(build, block):
    with pytest.raises(ValidationError) as caught:
        build(
            f'variable "pw" {{\n  sensitive = true\n  default = "{SECRET}"\n}}\n{block}',
        )
    error = caught.value
    sources = [problem.location.source for problem in error.problems if problem.location]
    assert SECRET not in str(error) + repr(error) + str(error.details) + "".join(sources)


@pytest.mark.parametrize(
    ("files", "parts"),
    [
        ('crate "a" "b" {}', ["There is no block crate", 'Did you mean "create"?']),
        ('resource "a" "b" {}', ['"create"']),
        ('create "a" {}', ["2 labels"]),
        ('create "sqlite_table" "t" {\n x = sqlite_table.tt.name\n}', ['Did you mean "t"?']),
        (
            'create "sqlite_table" "t" {\n column "abc" {}\n}\noutput "x" { value = sqlite_table.t.abd }',
            ['"abc"'],
        ),
        ('create "sqlite_table" "t" { provider = sqlite.two }', ["no provider sqlite.two"]),
        ('create "sqlite_table" "t" { provider = mysql }', ["belongs to the provider sqlite"]),
        ('create "sqlite_table" "t" { depends_on = [sqlite_table.u] }', ["There is no sqlite_table.u"]),
        ('create "sqlite_table" "t" { for_each = ["a"] }', ["toset"]),
        ('create "sqlite_table" "t" {\n count = 1\n for_each = {}\n}', ["exclude each other"]),
        ('create "sqlite_table" "t" { lifecycle { prevent_destroi = true } }', ['"prevent_destroy"']),
        (
            {"a.kl": 'create "sqlite_table" "t" {}', "b.kl": 'create "sqlite_table" "t" {}'},
            ["a.kl:1:1", "b.kl:1:1"],
        ),
        ({"a.kl": "locals { x = 1 }", "b.kl.json": '{"locals": {"x": 2}}'}, ["declared twice"]),
        ('create "sqlite_table" "t" {\n column "a" {}\n column "a" {}\n}', ["two column blocks"]),
        ('create "sqlite_table" "t" {\n column "a" {}\n column {}\n}', ["labels"]),
        ('create "sqlite_table" "t" {\n column = 1\n column "a" {}\n}', ["both an attribute and a block"]),
        ('create "sqlite_table" "t" { x = each.key }', ["for_each"]),
        ('variable "x" { type = strin }', ['"string"']),
        ('output "x" { vlue = 1 }', ['"value"', "has no value"]),
        ('module "m" { source = "git::https://x" }', ["a folder on this machine"]),
    ],
)
def test_static_faults(build, files, parts):
    fails(build, files, *parts)


def test_empty_folder_says_what_to_do(folder):
    with pytest.raises(ValidationError, match="kolumn init"):
        load(folder)


@pytest.mark.parametrize(
    "expression",
    [
        "range(1000000000)",
        "[for a in range(90000) : [for b in range(90000) : b]]",
        'join("", [for a in range(90000) : format("%9999s", "x")])',
        "pow(10, 1000000000)",
        "setproduct(range(90000), range(90000))",
        'replace(format("%9000s", " "), " ", format("%9000s", "x"))',
        'regex("(a+)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab")',
        "[" * 500 + "]" * 500,
        "(" * 5000,
        "-" * 5000 + "1",
        '"${' * 300 + '"x"' + '}"' * 300,
        "local.j",
        "jsonencode(local.j)",
        "local.text10",
        "1" + " + 1" * 5000,
    ],
    ids=range(15),
)
def test_bombs_end_in_an_error(build, expression):
    doubling = "\n".join(
        f"  {b} = [local.{a}, local.{a}]" for a, b in zip("abcdefghi", "bcdefghij", strict=False)
    )
    more = "\n".join(f"  j{n + 1} = [local.j{n}, local.j{n}]" for n in range(30))
    texts = "\n".join(f'  text{n + 1} = "{f"${{local.text{n}}}" * 10}"' for n in range(10))
    text = (
        f'locals {{\n  a = "x"\n{doubling}\n  j0 = local.j\n{more}\n  text0 = "0123456789"\n{texts}\n}}\n'
        f'output "x" {{\n  value = {expression}\n}}\noutput "y" {{ value = jsonencode(local.j30) }}'
    )
    with pytest.raises(ValidationError) as caught:
        build(text)
    assert caught.value.problems


def test_locate(folder):
    (folder / "main.kl").write_text(
        'create "sqlite_table" "t" {\n'
        '  column "id" {\n'
        "    type = 5\n"
        "  }\n"
        '  key {\n    columns = ["a",\n    "b"]\n  }\n'
        "}\n"
        'create "sqlite_table" "u" {\n  count = 2\n'
        '  columns = [{ name = "a" }, { name = "b", type = 1 }]\n}\n'
    )
    configuration = load(folder, environ={})

    def at(address, path):
        place = locate(configuration, address, path)
        return (place.line, place.column) if place else None

    assert at("sqlite_table.t", "column.id.type") == (3, 5)
    assert at("sqlite_table.t", "columns.id.type") == (3, 5)
    assert at("sqlite_table.t", "columns[0].type") == (3, 5)
    assert at("sqlite_table.t", "columns.id.missing") == (2, 3)
    assert at("sqlite_table.t", "key[0].columns[1]") == (7, 5)
    assert at("sqlite_table.t", "nothing") == (1, 1)
    assert at("sqlite_table.u[1]", "columns[1].type") == (12, 44)
    assert at("sqlite_table.u[1]", "columns.b.type") == (12, 44)
    assert at("sqlite_table.zzz", "") is None


def test_purity_does_not_leak_between_evaluations(folder):
    (folder / "main.kl").write_text('locals { a = ["x"] }\ncreate "sqlite_table" "t" { x = local.a }')
    configuration = load(folder, environ={})
    assert evaluate(configuration) == evaluate(configuration)
