from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kolumn.config.diagnostics import Source
from kolumn.config.parser import parse_expression
from kolumn.config.policies import SUBJECTS
from kolumn.config.project import PolicyConfig, Project, ResourceConfig
from kolumn.config.syntax_data import to_data
from kolumn.contract import messages as m
from kolumn.contract.errors import Location, ValidationError
from kolumn.contract.schema import AttributeSchema, ObjectType
from kolumn.host import planfile
from kolumn.host.policies.evaluation import check, judge, overrule, refuse_denied
from kolumn.host.policies.facts import Facts, Resource
from kolumn.host.policies.in_force import Exceptions, of, rules_by_name
from kolumn.host.policies.rule import GROUPS
from kolumn.host.results import Change, Difference, Review

TABLE = ObjectType(
    attributes={
        "name": AttributeSchema(type="string"),
        "columns": AttributeSchema(
            type="list",
            elements=ObjectType(
                attributes={
                    "name": AttributeSchema(type="string"),
                    "type": AttributeSchema(type="string"),
                    "not_null": AttributeSchema(type="bool"),
                    "primary_key": AttributeSchema(type="bool"),
                    "comment": AttributeSchema(type="string"),
                }
            ),
        ),
        "primary_key": AttributeSchema(
            type="map", elements=ObjectType(attributes={"columns": AttributeSchema(type="list")})
        ),
        "comment": AttributeSchema(type="string"),
    }
)


def schemas(_provider: str) -> dict[str, ObjectType]:
    return {"table": TABLE}


def said(text: str) -> Any:
    return to_data(parse_expression(Source("", text)))


def rule(name: str = "r", subject: str = "change", deny: str = "true", **more: Any) -> PolicyConfig:
    for key in ("when", "message", "hint"):
        if key in more:
            more[key] = said(more[key])
    return PolicyConfig(name=name, subject=subject, condition=said(deny), **more)


def table(name: str = "t", **config: Any) -> ResourceConfig:
    return ResourceConfig(
        address=f"sqlite_table.{name}",
        type="sqlite_table",
        name=name,
        provider="sqlite",
        config={"name": name, **config},
        location=Location("main.kl", 7),
    )


def change(name: str = "t", action: Any = "update", *steps: m.PlanStep, **paths: tuple[Any, Any]) -> Change:
    return Change(
        address=f"sqlite_table.{name}",
        type="sqlite_table",
        provider="sqlite",
        action=action,
        steps=steps,
        differences=tuple(Difference(path.replace("__", "."), *both) for path, both in paths.items()),
    )


def step(rows: int | None = None, **more: Any) -> m.PlanStep:
    return m.PlanStep(order=1, resource_type="table", name="t", rows=rows, **more)


def project(*policies: PolicyConfig, resources: tuple[ResourceConfig, ...] = (), **more: Any) -> Project:
    return Project("p", resources=resources, policies=policies, builtin_policies="none", **more)


def judged(review: Review, *policies: PolicyConfig, **more: Any) -> list[tuple[str, str, str]]:
    found = judge(review, project(*policies, **more), schemas)
    return [(each.policy, each.address, each.message) for each in found.violations]


def test_a_rule_is_asked_about_each_thing_of_its_sort() -> None:
    review = Review(changes=(change("a", "delete", step(1), step(2)), change("b", "update", step(3))))
    resources = (table("b", columns={"x": "INTEGER", "y": "TEXT"}), table("c"))
    messages = {
        "change": '"${change.action}"',
        "step": '"${change.action} ${step.rows}"',
        "resource": '"${resource.name} ${length(resource.columns)}"',
        "column": '"${resource.name}.${column.name} ${column.type}"',
        "plan": '"${length(plan.resources)} ${plan.summary.delete}"',
    }
    rules = [rule(subject, subject, message=messages[subject]) for subject in SUBJECTS]
    assert judged(review, *rules, resources=resources) == [
        ("change", "sqlite_table.a", "delete"),
        ("change", "sqlite_table.b", "update"),
        ("step", "sqlite_table.a", "delete 1"),
        ("step", "sqlite_table.a", "delete 2"),
        ("step", "sqlite_table.b", "update 3"),
        ("resource", "sqlite_table.b", "b 2"),
        ("resource", "sqlite_table.c", "c 0"),
        ("column", "sqlite_table.b", "b.x INTEGER"),
        ("column", "sqlite_table.b", "b.y TEXT"),
        ("plan", "", "2 1"),
    ]


def test_require_when_except_and_enabled() -> None:
    review = Review(changes=(change("a", "delete"), change("b"), change("legacy_c")))
    require = rule("r", deny='change.action == "update"', requires=True, message='"kept"')
    assert judged(review, require) == [("r", "sqlite_table.a", "kept")]
    assert judged(review, rule(when='change.action == "delete"', message='"m"')) == [
        ("r", "sqlite_table.a", "m")
    ]
    spared = rule(exceptions=("*.legacy_*", "sqlite_table.a"), message='"m"')
    assert judged(review, spared) == [("r", "sqlite_table.b", "m")]
    assert judged(review, rule(enabled=False)) == []


def test_a_violation_says_where_and_what_to_do() -> None:
    policy = rule(message='"m"', hint='"keep ${change.address}"', url="u", overridable=True)
    (found,) = judge(Review(changes=(change(),)), project(policy, resources=(table(),)), schemas).violations
    assert (found.file, found.line, found.hint, found.url) == ("main.kl", 7, "keep sqlite_table.t", "u")
    assert (found.severity, found.outcome, found.builtin, found.overridable) == (
        "error",
        "violated",
        False,
        True,
    )


def test_what_nobody_knows_is_said_and_hinders_nothing() -> None:
    review = Review(changes=(change("t", "update", step(None, rewrites=True)),))
    policy = rule(subject="step", deny="step.rewrites && step.rows > 10", message='"${step.rows} rows"')
    found = judge(review, project(policy), schemas)
    assert [(each.outcome, each.severity) for each in found.violations] == [("unknown", "error")]
    assert not found.denied
    refuse_denied(found)
    known = Review(changes=(change("t", "update", step(11, rewrites=True)),))
    assert judge(known, project(policy), schemas).denied


def test_the_gravest_come_first() -> None:
    rules = [rule(name, severity=name) for name in ("info", "warning", "error")]
    found = judge(Review(changes=(change(),)), project(*rules), schemas)
    assert [each.severity for each in found.violations] == ["error", "warning", "info"]


def test_every_faulty_policy_fails_the_plan() -> None:
    review = Review(changes=(change(moved_from=("a", "b")),))
    rules = [
        rule("compares", deny="change.reason > 3"),
        rule("fine", deny="false"),
        rule("words", message="[1]"),
    ]
    with pytest.raises(ValidationError) as caught:
        judge(review, project(*rules), schemas)
    assert {each.resource for each in caught.value.problems} >= {"policy words"}
    with pytest.raises(ValidationError) as caught:
        judge(review, project(rules[0], rules[1]), schemas)
    assert [each.resource for each in caught.value.problems] == ["policy compares"]


@pytest.mark.parametrize(
    ("subject", "deny"),
    [
        ("change", "change.nosuch == 1"),
        ("step", "step.nosuch"),
        ("plan", "plan.summary.nosuch > 1"),
        ("resource", "resource.nosuch"),
        ("change", "nosuch(change.action)"),
        ("change", "upper()"),
        ("change", '"text"'),
        ("change", "change"),
    ],
)
def test_a_rule_that_no_plan_fits_is_found_without_one(subject: str, deny: str) -> None:
    with pytest.raises(ValidationError):
        check(project(rule(subject=subject, deny=deny)))


def test_attributes_not_written_are_there() -> None:
    written = table("t", column={"a": "TEXT", "b": {"type": "INTEGER", "not_null": True}})
    document = Resource(written, TABLE).document()
    assert [(each["name"], each["not_null"], each["comment"]) for each in document["columns"]] == [
        ("a", False, None),
        ("b", True, None),
    ]
    assert document["config"]["comment"] is None
    assert document["primary_key"] == []
    assert (document["kind"], document["file"], document["line"]) == ("table", "main.kl", 7)


@pytest.mark.parametrize(
    "config",
    [
        {"columns": {"a": {"type": "TEXT", "primary_key": True}}},
        {"columns": [{"name": "a", "type": "TEXT"}], "primary_key": "a"},
        {"columns": {"a": "TEXT"}, "primary_key": ["a"]},
        {"columns": {"a": "TEXT"}, "primary_key": {"columns": ["a"]}},
        {"columns": {"a": "TEXT"}, "primary_key": {"name": "k", "columns": [{"column": "a"}]}},
    ],
)
def test_a_primary_key_is_found_however_it_is_written(config: dict[str, Any]) -> None:
    assert Resource(table("t", **config), TABLE).primary_key == ["a"]


def test_sensitive_values_stay_sealed() -> None:
    secret = msgspec.structs.replace(table("t", comment="hush"), sensitive=frozenset({"comment"}))
    policy = rule(
        subject="resource", deny="resource.config.comment != null", message='"${resource.config.comment}"'
    )
    review = Review(changes=(change("t", "update", comment=("(sensitive)", "(sensitive)")),))
    found = judge(review, project(policy, resources=(secret,), secrets=("hush",)), schemas)
    assert found.violations[0].message == "(sensitive)"
    told = rule(subject="plan", message='"h${"ush"}"')
    veiled = judge(review, project(told, secrets=("hush",)), schemas)
    assert veiled.violations[0].message == "(sensitive)"


def test_built_in_policies_are_set_by_blocks() -> None:
    def on(**more: Any) -> dict[str, str]:
        return {each.rule.name: each.severity for each in of(Project("p", **more)).builtin if each.enabled}

    assert on()["drop_table"] == "warning"
    assert "naming" not in on()
    assert set(on(builtin_policies="all")) == set(rules_by_name())
    only = (PolicyConfig(name="naming", severity="error"),)
    assert on(builtin_policies="none", policies=only) == {"naming": "error"}
    assert "drop_table" not in on(policies=(PolicyConfig(name="drop_table", enabled=False),))


def test_no_built_in_policy_hinders_a_first_plan() -> None:
    assert {each.severity for each in rules_by_name().values()} == {"warning", "info"}


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        (PolicyConfig(name="drop_tabel"), "unknown_policy"),
        (PolicyConfig(name="drop_table", parameters={"max_rows": 1}), "unknown_attribute"),
        (PolicyConfig(name="table_rewrite", parameters={"max_rows": "x"}), "wrong_type"),
        (PolicyConfig(name="table_rewrite", parameters={"max_rows": -1}), "wrong_type"),
        (PolicyConfig(name="table_rewrite", parameters={"max_rows": True}), "wrong_type"),
        (PolicyConfig(name="allowed_types", parameters={"types": "text"}), "wrong_type"),
        (PolicyConfig(name="comment_required", parameters={"columns": 1}), "wrong_type"),
        (PolicyConfig(name="naming", parameters={"tables": "("}), "bad_regex"),
        (PolicyConfig(name="naming", parameters={"tables": "(a+)+b"}), "slow_regex"),
        (rule("drop_table"), "duplicate"),
    ],
)
def test_wrong_settings_are_faults(policy: PolicyConfig, code: str) -> None:
    with pytest.raises(ValidationError) as caught:
        of(Project("p", policies=(policy,)))
    assert [each.code for each in caught.value.problems] == [code]


def test_every_rule_is_explained() -> None:
    for name, each in rules_by_name().items():
        assert each.title and each.why.endswith(".") and each.instead, name
        assert each.group in GROUPS, name
        assert each.title[0].isupper() and not each.title.endswith("."), name
    assert list(rules_by_name()) == sorted(
        rules_by_name(), key=lambda n: GROUPS.index(rules_by_name()[n].group)
    )


def test_a_built_in_policy_is_asked_only_where_it_applies() -> None:
    policy = PolicyConfig(name="drop_column", when=said('change.action == "create"'))
    review = Review(changes=(change("t", "update", columns__a=({"name": "a"}, None)),))
    assert judged(review, policy) == []
    applying = PolicyConfig(name="drop_column", when=said('change.action == "update"'))
    assert [name for name, _, _ in judged(review, applying)] == ["drop_column"]


def test_a_refusal_names_some_and_counts_the_rest() -> None:
    review = Review(changes=tuple(change(f"t{at}", "delete") for at in range(60)))
    with pytest.raises(ValidationError) as caught:
        refuse_denied(judge(review, project(rule(message='"m"')), schemas))
    assert len(caught.value.problems) == 51
    assert caught.value.problems[-1].message == "and 10 more"


def test_only_columns_of_their_own_are_columns() -> None:
    def kinds(_provider: str) -> dict[str, ObjectType]:
        parts = ObjectType(attributes={"column": AttributeSchema(type="string")})
        index = ObjectType(attributes={"columns": AttributeSchema(type="list", elements=parts)})
        return {"table": TABLE, "index": index}

    index = ResourceConfig(
        address="sqlite_index.i",
        type="sqlite_index",
        name="i",
        provider="sqlite",
        config={"columns": [{"column": "a"}]},
    )
    policy = rule(subject="column", deny='column.type == "TEXT"', message='"${resource.name}.${column.name}"')
    resources = (index, table("t", columns={"a": "TEXT"}))
    found = judge(Review(), project(policy, resources=resources), kinds)
    assert [each.message for each in found.violations] == ["t.a"]


def test_overruling_needs_leave_and_a_reason() -> None:
    policies = project(rule("may", overridable=True), rule("must_not"))
    review = judge(Review(changes=(change(),)), policies, schemas)
    assert review.denied
    for names, reason, codes in (
        (["may"], " ", ["missing_reason"]),
        (["must_not"], "x", ["not_overridable"]),
        (["nosuch", "must_not"], "", ["unknown_policy", "not_overridable", "missing_reason"]),
    ):
        with pytest.raises(ValidationError) as caught:
            overrule(review, policies, names, reason)
        assert [each.code for each in caught.value.problems] == codes
    with pytest.raises(ValidationError, match="--override-policy"):
        overrule(review, policies, [], "because")
    found = overrule(review, policies, ["may"], "agreed with the team")
    assert {each.policy: each.overridden for each in found.violations} == {
        "may": "agreed with the team",
        "must_not": "",
    }
    with pytest.raises(ValidationError) as caught:
        refuse_denied(found)
    assert caught.value.code == "policy_violation"
    assert caught.value.details["policies"] == ["must_not"]


def test_exceptions_take_addresses_as_they_are() -> None:
    spared = Exceptions(('sqlite_table.users["eu.*"]', "module.old.*"))
    assert 'sqlite_table.users["eu.north"]' in spared
    assert "module.old.sqlite_table.x" in spared
    assert "sqlite_table.users" not in spared
    assert "x" not in Exceptions(())


def test_a_saved_plan_keeps_the_policies_it_was_made_with() -> None:
    assert "policies" in planfile.SavedPlan.__struct_fields__
    policy = rule(message='"${change.address}"')
    kept = msgspec.json.decode(msgspec.json.encode(policy), type=PolicyConfig)
    assert kept == policy


def test_facts_know_indexes_by_their_table() -> None:
    index = ResourceConfig(
        address="sqlite_index.i",
        type="sqlite_index",
        name="i",
        provider="sqlite",
        config={"name": "i", "table": "main.t", "columns": ["b", "a"]},
    )
    facts = Facts((), (table("t", columns={"a": "TEXT", "b": "TEXT", "c": "TEXT"}), index), schemas)
    found = facts.resource("sqlite_table.t")
    assert found is not None
    assert facts.is_indexed(found, ["b"])
    assert facts.is_indexed(found, ["a", "b"])
    assert not facts.is_indexed(found, ["a"])
    assert not facts.is_indexed(found, ["c"])


# Whatever a plan holds

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.sampled_from(["", "a", "int", "serial", "public", "a.b", "x(y)"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "type", "columns", "references", "not_null", "column"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
PATHS = st.sampled_from(
    ["name", "columns", "columns.a", "columns.a.type", "columns.a.not_null", "columns.a.name", "columns.", "values",
     "columns.a.references", "foreign_keys", "foreign_keys.f", "primary_key", "role", "privileges", "superuser",
     "row_level_security", "settings", "security_definer", "unlogged", "comment", "values.a", "columns.type"]
)  # fmt: skip
KINDS = (
    "table",
    "index",
    "foreign_key",
    "enum",
    "view",
    "role",
    "grant",
    "function",
    "default_privileges",
    "x",
)
STEPS = st.builds(
    m.PlanStep,
    order=st.integers(1, 9),
    resource_type=st.sampled_from(KINDS),
    name=st.just("t"),
    description=st.sampled_from(
        ["create index i", "add unique (a) to table t: add check", "rebuild table t: a; b", ""]
    ),
    lock=st.sampled_from(
        ["", "X on t (others read)", "X on t (nobody else reads or writes)", "X, for a moment"]
    ),
    rows=st.none() | st.integers(0, 10**7),
    rewrites=st.booleans(),
    transactional=st.booleans(),
    risks=st.lists(
        st.builds(
            m.PlanRisk,
            kind=st.sampled_from(["data_loss", "conversion", "may_fail", "x"]),
            message=st.sampled_from(["drops column a", "t.a: values change", "t.a, b to c: fails", ""]),
        ),
        max_size=2,
    ).map(tuple),
)
PROVIDERS = st.sampled_from(["sqlite", "postgres", "postgres.archive"])


@st.composite
def plans(draw: st.DrawFn) -> tuple[Review, tuple[ResourceConfig, ...]]:
    changes, resources = [], []
    for at in range(draw(st.integers(0, 4))):
        provider, kind = draw(PROVIDERS), draw(st.sampled_from(KINDS))
        type_ = f"{provider.partition('.')[0]}_{kind}"
        address = f"{type_}.r{at}"
        differences = [
            Difference(draw(PATHS), draw(JSON), draw(JSON)) for _ in range(draw(st.integers(0, 4)))
        ]
        actions = ["create", "update", "replace", "delete", "adopt", "move", "forget", "recreate"]
        changes.append(
            Change(
                address=address,
                type=type_,
                provider=provider,
                action=draw(st.sampled_from(actions)),  # type: ignore[arg-type]
                differences=tuple(differences),
                steps=tuple(draw(st.lists(STEPS, max_size=3))),
                adopted=draw(st.booleans()),
            )
        )
        if draw(st.booleans()):
            names = st.sampled_from(
                ["columns", "column", "primary_key", "table", "name", "settings", "uniques"]
            )
            config = draw(st.dictionaries(names, JSON, max_size=5))
            resources.append(
                ResourceConfig(address=address, type=type_, name=f"r{at}", provider=provider, config=config)
            )
    return Review(changes=tuple(changes)), tuple(resources)


@settings(max_examples=400, deadline=None)
@given(plans())
def test_no_plan_is_too_strange_for_a_rule(made: tuple[Review, tuple[ResourceConfig, ...]]) -> None:
    review, resources = made
    found = judge(review, Project("p", resources=resources, builtin_policies="all"), schemas)
    addresses = {each.address for each in review.changes}
    order = {"error": 0, "warning": 1, "info": 2}
    assert {each.address for each in found.violations} <= addresses
    assert [order[each.severity] for each in found.violations] == sorted(
        order[each.severity] for each in found.violations
    )
    assert not found.denied
    assert found.changes == review.changes


CONDITIONS = st.recursive(
    st.sampled_from(
        [
            'change.action == "create"',
            "change.adopted",
            'change.kind != "table"',
            "length(change.steps) > 1",
            "anytrue([for s in change.steps : s.rewrites])",
            "anytrue([for s in change.steps : s.rows > 100])",
        ]
    ),
    lambda inner: (
        st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})")
        | inner.map(lambda text: f"!({text})")
    ),
    max_leaves=5,
)


@settings(max_examples=200, deadline=None)
@given(plans(), CONDITIONS)
def test_to_deny_is_to_require_the_opposite(
    made: tuple[Review, tuple[ResourceConfig, ...]], text: str
) -> None:
    review, resources = made
    pair = [
        rule("r", deny=text, message='"m"'),
        rule("r", deny=f"!({text})", requires=True, message='"m"'),
        rule("r", deny="true", when=text, message='"m"'),
    ]
    denied, required, narrowed = (
        [
            (each.address, each.outcome)
            for each in judge(review, project(policy, resources=resources), schemas).violations
        ]
        for policy in pair
    )
    assert denied == required == narrowed
    assert len(denied) <= len(review.changes)
