"""Expression semantics against HCL's documented behaviour."""

from __future__ import annotations

import pytest

from kolumn.contract.errors import ValidationError

VALUES = [
    ("1 + 2 * 3", 7),
    ("(1 + 2) * 3", 9),
    ("7 / 2", 3.5),
    ("8 / 2", 4),
    ("-7 % 3", -1),
    ("7 % -3", 1),
    ("0.1 + 0.2", 0.3),
    ("2 - -3", 5),
    ("10 - 2 - 3", 5),
    ("123456789012345678901234567890 + 1", 123456789012345678901234567891),
    ("1.0", 1),
    ("1e3", 1000),
    ('"5" + 1', 6),
    ("1 < 2 && 2 <= 2", True),
    ("!true || false", False),
    ("true || nothing_here_is_evaluated(1)", True),
    ('1 == "1"', False),
    ("1 == 1.0", True),
    ("true == 1", False),
    ("null == null", True),
    ("[1, 2] == [1, 2]", True),
    ("{ a = 1 } != { a = 2 }", True),
    ('true ? "a" : "b"', "a"),
    ('1 > 2 ? "a" : 1 > 0 ? "b" : "c"', "b"),
    ('"true" ? 1 : 2', 1),
    ("[1, 2, 3][1]", 2),
    ("{ a = { b = [5] } }.a.b[0]", 5),
    ('{ "a b" = 1 }["a b"]', 1),
    ("{ a = 1, b = 2 }", {"a": 1, "b": 2}),
    ("{ a : 1 }", {"a": 1}),
    ('{ ("x${1 + 1}") = 1 }', {"x2": 1}),
    ("{ 1 = 2 }", {"1": 2}),
    ("{\n a = 1\n\n b = 2,\n}", {"a": 1, "b": 2}),
    ("[\n 1,\n 2,\n]", [1, 2]),
    ("[for x in [1, 2, 3] : x * 2 if x != 2]", [2, 6]),
    ("[for i, x in [5, 6] : i + x]", [5, 7]),
    ("{ for k, v in { a = 1, b = 2 } : v => k }", {"1": "a", "2": "b"}),
    ('{ for x in ["aa", "ab", "b"] : substr(x, 0, 1) => x... }', {"a": ["aa", "ab"], "b": ["b"]}),
    ('[for k, v in { b = 1, a = 2 } : "${k}${v}"]', ["b1", "a2"]),
    ("[{ a = 1 }, { a = 2 }][*].a", [1, 2]),
    ("[{ a = [1] }, { a = [2] }][*].a[0]", [1, 2]),
    ("[{ a = [1] }, { a = [2] }].*.a[0]", [1]),
    ("{ a = 1 }[*].a", [1]),
    ("null[*]", []),
    ("[[1, 2], [3]].0.1", 2),
    ("max([1, 5, 3]...)", 5),
    ('"a${1}b${true}"', "a1btrue"),
    ('"${[1, 2]}"', [1, 2]),
    ('"x" == "${"x"}"', True),
    ('"nested ${"in ${upper("side")}"}"', "nested in SIDE"),
    (r'"\n\t\"\\ \u00e9 \U0001F600"', '\n\t"\\ é 😀'),
    ('"$${a} %%{b} $a 5% $$ %"', "${a} %{b} $a 5% $$ %"),
    ('"%{if 1 > 0}yes%{else}no%{endif}"', "yes"),
    ('"%{for x in ["a", "b"]}<${x}>%{endfor}"', "<a><b>"),
    ('"a  ${~ "b" ~}  c"', "abc"),
    ('<<EOT\n  a\n  "b" \\n ${1 + 1}\nEOT\n', '  a\n  "b" \\n 2\n'),
    ("<<-EOT\n    a\n      b\n\n    c\n  EOT\n", "a\n  b\n\nc\n"),
    ("<<-EOT\n  %{for x in [1, 2]~}\n  n${x}\n  %{endfor~}\n  EOT\n", "n1\nn2\n"),
    ("(\n 1\n +\n 2\n)", 3),
    ("1 /* two */ + 2 # three", 3),
    ("null", None),
    ("[1, null]", [1, None]),
    ("-(-5)", 5),
    ("!!true", True),
    ('try({}.missing, "fallback")', "fallback"),
    ("can([][0])", False),
    ("{ for x in [] : x => x }", {}),
    ('upper(\n"a",\n)', "A"),
]


@pytest.mark.parametrize(("expression", "expected"), VALUES)
def test_value(value, expression, expected):
    result = value(expression)
    assert result == expected
    assert type(result) is type(expected)


FAULTS = [
    ("1 + null", "null"),
    ("1 / 0", "Division by zero"),
    ('"a" + 1', "Expected a number"),
    ('!"x"', "Expected true or false"),
    ("[1][5]", "1 elements"),
    ("{ apple = 1 }.aple", 'Did you mean "apple"?'),
    ("nul", 'Did you mean "null"?|double quotes'),
    ('"${[1]}x"', "cannot stand in a text"),
    ('"${null}x"', "cannot stand in a text"),
    ("{ for x in [1, 1] : x => x }", "same key"),
    ("[for x in 5 : x]", "Expected a list, set or map"),
    ("uper(1)", 'Did you mean "upper"?'),
    ("upper()", "takes 1 argument"),
    ("toset([1])[0]", "no order"),
    ("var.missing", "There is no variable missing"),
    ("each.key", "for_each"),
    ("2 ? 1 : 0", "Expected true or false"),
    ('"\\x"', "escape"),
]


@pytest.mark.parametrize(("expression", "message"), FAULTS)
def test_fault(value, expression, message):
    with pytest.raises(ValidationError) as caught:
        value(expression)
    problem = caught.value.problems[0]
    assert any(part in str(problem) for part in message.split("|"))
    assert problem.location is not None
    assert problem.location.line == 2


FUNCTIONS = [
    ("abs(-3)", 3),
    ("ceil(1.2)", 2),
    ("floor(-1.2)", -2),
    ("log(16, 2)", 4),
    ("min(3, 1)", 1),
    ('parseint("ff", 16)', 255),
    ("pow(2, 100)", 2**100),
    ("signum(-9)", -1),
    ("sum([1, 2.5])", 3.5),
    (r'chomp("a\n\n")', "a"),
    ('endswith("abc", "bc")', True),
    ('format("%s-%03d-%.2f-%v-%q-%%", "a", 7, 1.5, [1], "x")', 'a-007-1.50-[1]-"x"-%'),
    ('format("%5s|%-5s|%#v", "a", "b", { a = 1 })', '    a|b    |{"a":1}'),
    ('formatlist("%s=%d", ["a", "b"], [1, 2])', ["a=1", "b=2"]),
    (r'indent(2, "a\nb")', "a\n  b"),
    ('join(", ", ["a", 1, true])', "a, 1, true"),
    ('title("hello big world")', "Hello Big World"),
    ('regex("[a-z]+", "12ab3")', "ab"),
    ('regex("(\\\\d+)-(\\\\d+)", "10-20")', ["10", "20"]),
    ('regex("(?P<a>\\\\d)", "5")', {"a": "5"}),
    ('regexall("[a-z]", "a1b")', ["a", "b"]),
    ('replace("a.b.c", ".", "-")', "a-b-c"),
    ('replace("a1b2", "/[0-9]/", "#")', "a#b#"),
    ('replace("ab", "/(a)(b)/", "$2$1")', "ba"),
    ('split(",", "a,b")', ["a", "b"]),
    ('strrev("abc")', "cba"),
    ('substr("hello", 1, 3)', "ell"),
    ('substr("hello", -2, -1)', "lo"),
    ('trim("?!x!?", "!?")', "x"),
    ('trimprefix("abc", "a")', "bc"),
    ('trimspace("  a ")', "a"),
    ("alltrue([true, true])", True),
    ("anytrue([])", False),
    ("chunklist([1, 2, 3], 2)", [[1, 2], [3]]),
    ('coalesce(null, "", "a")', "a"),
    ("coalescelist([], [1])", [1]),
    ('compact(["a", "", null])', ["a"]),
    ("concat([1], [2])", [1, 2]),
    ("contains([1, 2], 2)", True),
    ('contains(["1"], 1)', False),
    ("distinct([1, 2, 1])", [1, 2]),
    ("element([1, 2], 3)", 2),
    ("flatten([1, [2, [3]]])", [1, 2, 3]),
    ("index([4, 5], 5)", 1),
    ("keys({ b = 1, a = 2 })", ["a", "b"]),
    ('length("héé")', 3),
    ('lookup({ a = 1 }, "b", 9)', 9),
    ("matchkeys([1, 2], [3, 4], [4])", [2]),
    ("merge({ a = 1, b = 1 }, { b = 2 })", {"a": 1, "b": 2}),
    ("one([])", None),
    ("range(3)", [0, 1, 2]),
    ("range(1, 10, 4)", [1, 5, 9]),
    ("range(3, 0)", [3, 2, 1]),
    ("reverse([1, 2])", [2, 1]),
    ('setintersection(["a", "b"], ["b"])', ["b"]),
    ('setproduct(["a"], [1, 2])', [["a", 1], ["a", 2]]),
    ("setsubtract([1, 2], [2])", [1]),
    ("setunion([2], [1, 2])", [1, 2]),
    ("slice([1, 2, 3], 1, 3)", [2, 3]),
    ('sort(["b", "a"])', ["a", "b"]),
    ('transpose({ a = ["x", "y"], b = ["x"] })', {"x": ["a", "b"], "y": ["a"]}),
    ("values({ b = 1, a = 2 })", [2, 1]),
    ('zipmap(["a"], [1])', {"a": 1}),
    ('toset(["b", "a", "b"])', ["a", "b"]),
    ("tostring(1.5)", "1.5"),
    ('tonumber("0x1" == "" ? "1" : "2")', 2),
    ('tobool("true")', True),
    ('base64decode(base64encode("é"))', "é"),
    ('jsonencode({ b = [1, "x", null], a = 1.5 })', '{"b":[1,"x",null],"a":1.5}'),
    ('jsondecode("{\\"a\\": [1.0]}")', {"a": [1]}),
    ('urlencode("a b&c")', "a+b%26c"),
    (r'csvdecode("a,b\n1,2\n")', [{"a": "1", "b": "2"}]),
    ('md5("a")', "0cc175b9c0f1b6a831c399e269772661"),
    ('substr(sha256("a"), 0, 8)', "ca978112"),
    ('uuidv5("dns", "example.com")', "cfbff0d1-9375-5685-968c-48ce8b15ae17"),
    ('formatdate("DD MMM YYYY hh:mm ZZZ", "2018-01-02T23:12:01Z")', "02 Jan 2018 11:12 UTC"),
    ('timeadd("2017-11-22T00:00:00Z", "10m")', "2017-11-22T00:10:00Z"),
    ('timecmp("2017-11-22T00:00:00Z", "2017-11-22T01:00:00+01:00")', 0),
    ('basename("a/b.txt")', "b.txt"),
    ('dirname("a/b.txt")', "a"),
    ('strcontains("abc", "b")', True),
]


@pytest.mark.parametrize(("expression", "expected"), FUNCTIONS)
def test_function(value, expression, expected):
    assert value(expression) == expected


def test_files(build, folder):
    (folder / "t.tpl").write_text("Hi ${name}%{ if loud }!%{ endif }", encoding="utf-8")
    project = build(
        """
        output "text" { value = file("t.tpl") }
        output "rendered" { value = templatefile("${path.module}/t.tpl", { name = "Ann", loud = true }) }
        output "there" { value = fileexists("t.tpl") && !fileexists("u.tpl") }
        output "set" { value = fileset(path.module, "*.tpl") }
        """
    )
    values = {output.name: output.value for output in project.outputs}
    assert values["rendered"] == "Hi Ann!"
    assert values["text"].startswith("Hi ${name}")
    assert values["there"] is True
    assert values["set"] == ["t.tpl"]


def test_environment(build):
    project = build('output "x" { value = "${env("A")} ${env("B", "none")}" }', environ={"A": "1"})
    assert project.outputs[0].value == "1 none"
