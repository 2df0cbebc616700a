from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kolumn.config import UNKNOWN, Project, load_project
from kolumn.config.diagnostics import Fault, Source
from kolumn.config.evaluator import evaluate
from kolumn.config.parser import parse_expression
from kolumn.config.predicates import Predicate, sandbox
from kolumn.config.project import PolicyConfig
from kolumn.config.syntax_data import from_data, to_data
from kolumn.contract.errors import ValidationError

from .conftest import Build, write_files


def faults(build: Build, text: str) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as caught:
        build(text)
    return [(each.code, each.message) for each in caught.value.problems]


def one(build: Build, text: str) -> PolicyConfig:
    (policy,) = build(text).policies
    return policy


def decided(policy: PolicyConfig, **variables: Any) -> Any:
    return Predicate(policy.condition).decide(sandbox(variables))


def test_a_rule_keeps_what_it_says(build: Build) -> None:
    policy = one(
        build,
        """
        policy "no_drop" {
          for         = "change"
          when        = change.type != "x"
          deny        = change.action == "delete"
          message     = "${change.address} goes"
          hint        = "keep ${change.address}"
          url         = "https://example.org"
          description = "nothing goes"
          severity    = "warning"
          except      = ["sqlite_table.old_*"]
          overridable = true
          enabled     = false
        }
        """,
    )
    assert (policy.name, policy.subject, policy.severity) == ("no_drop", "change", "warning")
    assert (policy.requires, policy.overridable, policy.enabled) == (False, True, False)
    assert policy.exceptions == ("sqlite_table.old_*",)
    assert (policy.url, policy.description) == ("https://example.org", "nothing goes")
    change = {"action": "delete", "address": "a.b", "type": "t"}
    assert decided(policy, change=change) is True
    assert decided(policy, change={**change, "action": "update"}) is False
    assert Predicate(policy.message).text(sandbox({"change": change})) == "a.b goes"
    assert Predicate(policy.hint).text(sandbox({"change": change})) == "keep a.b"
    assert Predicate(policy.when).decide(sandbox({"change": {**change, "type": "x"}})) is False


def test_what_the_configuration_knows_is_put_in_as_values(build: Build) -> None:
    policy = one(
        build,
        """
        variable "environment" { default = "production" }
        locals { owners = { orders = "sales" } }
        create "sqlite_table" "users" { columns = { id = "INTEGER" } }
        policy "p" {
          deny = (
            var.environment == "production" && local.owners[change.kind] == "sales"
            && change.name != sqlite_table.users.name && [for x in ["a"] : x] != []
          )
          severity = var.environment == "production" ? "error" : "info"
        }
        """,
    )
    assert policy.severity == "error"
    assert Predicate(policy.condition).names == {"change"}
    assert decided(policy, change={"kind": "orders", "name": "x"}) is True
    assert decided(policy, change={"kind": "orders", "name": "users"}) is False


def test_the_variables_of_a_loop_are_its_own(build: Build) -> None:
    policy = one(
        build,
        """
        policy "p" {
          deny = anytrue([for step in change.steps : step.rewrites])
          message = "%{ for step in change.steps }<${step.order}>%{ endfor }"
        }
        """,
    )
    assert Predicate(policy.condition).names == {"change"}
    change = {"steps": [{"rewrites": False, "order": 1}, {"rewrites": True, "order": 2}]}
    assert decided(policy, change=change) is True
    assert Predicate(policy.message).text(sandbox({"change": change})) == "<1><2>"


def test_settings_of_a_built_in_policy_have_parameters(build: Build) -> None:
    project: Project = build(
        """
        variable "rows" { default = 5 }
        policy "table_rewrite" {
          severity = "error"
          max_rows = var.rows * 2
          when     = change.provider == "sqlite"
        }
        policies { builtin = "none" }
        """
    )
    (policy,) = project.policies
    assert (policy.subject, policy.parameters) == ("", {"max_rows": 10})
    assert project.builtin_policies == "none"
    assert Predicate(policy.when).decide(sandbox({"change": {"provider": "x"}})) is False


def test_json_says_the_same(folder: Path, build: Build) -> None:
    said = one(
        build,
        'policy "p" {\n  for = "step"\n  deny = step.rewrites && step.rows > 3\n  message = "${step.order}"\n}',
    )
    twin = {
        "policy": {
            "p": {"for": "step", "deny": "${step.rewrites && step.rows > 3}", "message": "${step.order}"}
        }
    }
    (folder / "main.kl").unlink()
    write_files(folder, {"p.kl.json": json.dumps(twin)})
    (read,) = build({"p.kl.json": json.dumps(twin)}).policies
    for step in ({"rewrites": True, "rows": 4, "order": 7}, {"rewrites": True, "rows": 1, "order": 7}):
        assert decided(read, step=step) == decided(said, step=step)
        assert Predicate(read.message).value(sandbox({"step": step})) == 7


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        ('deny = change.action == "x"\nrequire = true', "conflict", "exclude"),
        ('deny = "true"', "wrong_type", "true or false"),
        ("deny = true\nmessage = 5", "wrong_type", "a text"),
        ('for = "table"\ndeny = true', "invalid_enum", "for cannot be table"),
        ('severity = "fatal"\ndeny = true', "invalid_enum", "severity"),
        ("deny = true\ncolour = 1", "unknown_attribute", "no colour"),
        ("deny = chnage.action == 1", "unknown_reference", "chnage"),
        ("deny = step.rewrites", "unknown_reference", "step"),
        ("deny = var.nothing", "unknown_reference", "no variable nothing"),
        ("deny = anytrue([for s in change.steps : nosuch.thing])", "unknown_reference", "nosuch"),
        ('deny = file("/etc/passwd") == ""', "policy_function", "file()"),
        ('deny = change.action == env("HOME")', "policy_function", "env()"),
        ('deny = can(templatefile("x", {}))', "policy_function", "templatefile()"),
        ("deny = true\nenabled = change.action == 1", "unknown_reference", "change"),
        ("deny = var.secret == change.action", "sensitive_policy", "sensitive"),
        ('deny = true\nmessage = "${local.all.secret}"', "sensitive_policy", "sensitive"),
        ("deny = length(local.all) == change.x", "sensitive_policy", "sensitive"),
        ('severity = "info"\nwhen = plan.destroy', "unknown_reference", "plan"),
        ("deny = true\nexcept = [1]", "wrong_type", "addresses"),
    ],
)
def test_faults_are_found_without_a_plan(build: Build, body: str, code: str, words: str) -> None:
    found = faults(
        build,
        'variable "secret" {\n  default = "hush"\n  sensitive = true\n}\n'
        f'locals {{\n  all = {{ secret = var.secret, open = 1 }}\n}}\npolicy "p" {{\n{body}\n}}',
    )
    assert found[0][0] == code, found
    assert words in found[0][1]
    assert "hush" not in str(found)


def test_what_is_open_beside_a_secret_may_be_used(build: Build) -> None:
    policy = one(
        build,
        'variable "secret" {\n  default = "hush"\n  sensitive = true\n}\n'
        'locals {\n  all = { secret = var.secret, open = 1 }\n}\npolicy "p" {\n  deny = local.all.open == change.x\n}',
    )
    assert decided(policy, change={"x": 1}) is True


def test_what_has_to_be_discovered_is_unknown_without_a_database(build: Build) -> None:
    policy = one(
        build,
        """
        discover "sqlite_table" "users" { name = "users" }
        policy "p" {
          deny     = change.name == discover.users.name
          severity = discover.users.name == "x" ? "error" : "info"
        }
        """,
    )
    assert decided(policy, change={"name": "users"}) is UNKNOWN
    assert policy.severity == ""


def test_every_fault_is_told_with_its_place(build: Build) -> None:
    with pytest.raises(ValidationError) as caught:
        build(
            'policy "p" {\n  deny = chnage.action == 1\n  hint = "${nosuch.x}"\n}\npolicy "p" {\n  deny = true\n}'
        )
    places = [(each.location.line, each.code) for each in caught.value.problems if each.location]
    assert places == [(5, "duplicate")]
    with pytest.raises(ValidationError) as caught:
        build('policy "p" {\n  deny = chnage.action == 1\n  hint = "${nosuch.x}"\n}')
    places = [(each.location.line, each.location.column) for each in caught.value.problems if each.location]
    assert places == [(2, 10), (3, 13)]
    assert 'Did you mean "change"?' in caught.value.problems[0].hint


def test_one_policies_block(build: Build) -> None:
    assert (
        build({"p.kl.json": '{"policies": {"builtin": "all"}, "locals": {"x": 1}}'}).builtin_policies == "all"
    )
    assert faults(build, 'policies {\n  builtin = "most"\n}\n')[0][0] in ("invalid_enum", "duplicate")


def test_policies_stand_in_the_project_itself(folder: Path, build: Build) -> None:
    found = faults(
        build,
        {
            "main.kl": 'module "m" {\n  source = "./m"\n}\n',
            "m/main.kl": 'policy "p" {\n  deny = true\n}\npolicies {\n  builtin = "all"\n}\n',
        },  # type: ignore[arg-type]
    )
    assert [code for code, _ in found] == ["misplaced_block", "misplaced_block"]


def test_the_cache_keeps_policies(folder: Path) -> None:
    write_files(
        folder,
        'variable "e" {\n  default = "x"\n}\npolicy "p" {\n  deny = change.action == var.e || contains(["a", "b"], change.kind)\n'
        '  message = "${change.action}!"\n}\npolicies {\n  builtin = "all"\n}\n',
    )
    first, second = (load_project(folder, environ={})[1] for _ in range(2))
    configuration, _ = load_project(folder, environ={})
    assert "loaded" not in vars(configuration), "the second reading comes from the cache"
    assert second == first
    assert decided(second.policies[0], change={"action": "q", "kind": "b"}) is True
    assert decided(second.policies[0], change={"action": "q", "kind": "c"}) is False


# Expressions kept as data, and made fast, mean what the language says

_ATOMS = st.sampled_from(
    [
        "change.action", "change.rows", "change.none", "change.flag", "change.list", "change.map.x", "change.map",
        "change.unknown", "change.nosuch", "true", "false", "null", "1", "2.5", '"delete"', '"true"', '["a", "b"]',
        "{ a = 1 }", "change.list[0]", 'change.map["x"]', "change.map[change.action]",
    ]
)  # fmt: skip


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pair = st.tuples(inner, inner)
    return st.one_of(
        st.tuples(pair, st.sampled_from(["==", "!=", "&&", "||", "+", "<", ">="])).map(
            lambda t: f"({t[0][0]} {t[1]} {t[0][1]})"
        ),
        inner.map(lambda a: f"!{a}"),
        inner.map(lambda a: f"-{a}"),
        st.tuples(inner, pair).map(lambda t: f"({t[0]} ? {t[1][0]} : {t[1][1]})"),
        pair.map(lambda t: f"contains([{t[0]}], {t[1]})"),
        inner.map(lambda a: f"[for x in change.list : x == {a}]"),
        inner.map(lambda a: f'"<${{{a}}}>"'),
        inner.map(lambda a: f"can({a})"),
        pair.map(lambda t: f"try({t[0]}, {t[1]})"),
        inner.map(lambda a: f"length([{a}][*])"),
        inner.map(lambda a: f"length({a})"),
        inner.map(lambda a: f'contains(["delete", "a"], {a})'),
        st.tuples(st.sampled_from(["startswith", "endswith", "strcontains"]), pair).map(
            lambda t: f"{t[0]}({t[1][0]}, {t[1][1]})"
        ),
    )


EXPRESSIONS = st.recursive(_ATOMS, _grown, max_leaves=8)
CHANGE = {
    "action": "delete",
    "rows": 12,
    "none": None,
    "flag": True,
    "list": ["a", "delete", 3],
    "map": {"x": "y", "delete": 1},
    "unknown": UNKNOWN,
}


def _outcome(run: Any) -> Any:
    try:
        return ("value", run())
    except Fault as fault:
        return ("fault", fault.code, fault.message, fault.start, fault.end)


@settings(max_examples=400, deadline=None)
@given(EXPRESSIONS)
def test_a_predicate_is_the_expression(text: str) -> None:
    node = parse_expression(Source("", text))
    kept = msgspec.json.decode(msgspec.json.encode(to_data(node)))
    assert from_data(kept) == node
    frame = sandbox({"change": CHANGE})
    plain, fast = _outcome(lambda: evaluate(node, frame)), _outcome(lambda: Predicate(kept).value(frame))
    assert fast == plain
    assert type(fast[1]) is type(plain[1])


def test_data_that_is_no_expression_is_refused() -> None:
    with pytest.raises(ValueError, match="there is no node"):
        from_data({"\0node": "Import"})


@pytest.mark.parametrize("text", ["change.action", "change.none", "[1]", "null"])
def test_a_decision_is_true_or_false(text: str) -> None:
    predicate = Predicate(to_data(parse_expression(Source("", text))))
    with pytest.raises(Fault, match="true or false"):
        predicate.decide(sandbox({"change": CHANGE}))


@pytest.mark.parametrize(
    ("text", "decision"),
    [
        ("change.unknown > 3", UNKNOWN),
        ("false && change.unknown > 3", False),
        ("change.unknown > 3 && false", False),
        ("change.unknown > 3 || true", True),
        ("change.rows > 3", True),
    ],
)
def test_what_is_not_known_matters_only_where_it_decides(text: str, decision: Any) -> None:
    predicate = Predicate(to_data(parse_expression(Source("", text))))
    assert predicate.decide(sandbox({"change": CHANGE})) is decision


def test_an_expression_cannot_keep_the_command_busy() -> None:
    items = ", ".join(itertools.repeat("change.big", 3))
    predicate = Predicate(
        to_data(parse_expression(Source("", f"length([for a in setproduct({items}) : a]) > 0")))
    )
    with pytest.raises(Fault):
        predicate.decide(sandbox({"change": {"big": list(range(2000))}}))
