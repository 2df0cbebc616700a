"""What is exactly one piece of the servers' language, and what means the same to them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolumn.contract.errors import ValidationError
from kolumn.providers.mysql.language.accounts import parse_account
from kolumn.providers.mysql.language.dialect import MySQLDialect
from kolumn.providers.mysql.language.qualifying import unqualified
from kolumn.providers.mysql.language.scripts import statements_of
from kolumn.providers.mysql.language.tokens import literal, quote, text_of, tokenize, unquote
from kolumn.providers.mysql.language.types import is_wider, type_of

DIALECT = MySQLDialect()


@pytest.mark.parametrize(
    "text",
    [
        "a > 0); DROP TABLE x; --",
        "1 /*! ; DROP TABLE x */",
        "1 /*M! + 1 */",
        "'unfinished",
        "a -- ",
        "a, b",
        "(1",
        "1)",
        "",
        "SELECT 1",
        "@secret",
        "1 FROM x",
        "a\0b",
    ],
)
def test_what_is_not_one_expression_is_refused(text):
    assert DIALECT.check_expression(text) or text == "a -- "


@pytest.mark.parametrize(
    "text", ["a > 0", "(SELECT 1)", "'a;b'", "`a;b` + 1", "a -- comment", "json_extract(a, '$.b')"]
)
def test_expressions_are_taken(text):
    assert DIALECT.check_expression(text) is None


@pytest.mark.parametrize(
    ("body", "fits"),
    [
        ("BEGIN IF a THEN SET b = 1; END IF; END", True),
        ("BEGIN SELECT IF(a, 1, 2); WHILE a DO SET a = 0; END WHILE; END", True),
        ("BEGIN SELECT CASE a WHEN 1 THEN 2 END; END;", True),
        ("lab: BEGIN LEAVE lab; END lab", True),
        ("SET new.a = 1", True),
        ("BEGIN END; DROP TABLE x", False),
        ("SELECT 1; SELECT 2", False),
        ("BEGIN SELECT 1;", False),
    ],
)
def test_a_body_is_one_statement(body, fits):
    assert (DIALECT.check_body(body) is None) is fits


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("INTEGER", "int(11)"),
        ("int unsigned", "int(10) unsigned"),
        ("boolean", "tinyint(1)"),
        ("numeric(5)", "decimal(5,0)"),
        ("double precision", "DOUBLE"),
        ("character varying(3)", "varchar(3)"),
        ("enum('a', \"b\")", "ENUM('a','b')"),
        ("year(4)", "year"),
    ],
)
def test_types_have_one_normal_form(one, other):
    assert DIALECT.normal_type(one) == DIALECT.normal_type(other)


@pytest.mark.parametrize(
    "text", ["foo", "varchar(3) collate x", "int not null", "varchar(3", "enum(1)", "text unsigned", ""]
)
def test_what_is_no_type_is_refused(text):
    assert DIALECT.check_type(text)


def test_wider_types_hold_every_value():
    assert is_wider(type_of("int"), type_of("bigint"))
    assert not is_wider(type_of("int"), type_of("int unsigned"))
    assert is_wider(type_of("decimal(5,2)"), type_of("decimal(7,3)"))
    assert not is_wider(type_of("decimal(5,2)"), type_of("decimal(5,3)"))
    assert is_wider(type_of("varchar(5)"), type_of("varchar(6)"))
    assert not is_wider(type_of("enum('a','b')"), type_of("enum('a')"))


@given(st.text())
def test_a_text_comes_out_of_its_literal(text):
    (token,) = tokenize(literal(text))
    assert text_of(token.text) == text


@given(st.text(min_size=1))
def test_a_name_comes_out_of_its_quotes(name):
    (token,) = tokenize(quote(name))
    assert unquote(token.text) == name


def test_scripts_are_cut_outside_of_bodies():
    script = """
    CREATE TABLE a (b text DEFAULT (';') /* not; here */);
    CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW BEGIN IF new.b = 1 THEN SET new.b = 2; END IF; END;
    DELIMITER //
    CREATE PROCEDURE p() BEGIN SELECT 1; END//
    DELIMITER ;
    SELECT 1;
    """
    assert [each.split()[1] for each in statements_of(script)] == ["TABLE", "TRIGGER", "PROCEDURE", "1"]
    with pytest.raises(ValidationError, match="line 2"):
        statements_of("SELECT 1;\nSELECT 'open")


def test_only_the_names_of_the_database_go():
    text = (
        "select `d`.`t`.`a` AS `a`,`d`.`f`(`d`.`b`) from (`d`.`t` join `d`.`u` `d` on((`t`.`a` = `d`.`a`)))"
    )
    expected = "select `t`.`a` AS `a`,`f`(`d`.`b`) from (`t` join `u` `d` on((`t`.`a` = `d`.`a`)))"
    assert unqualified(text, "d") == expected


def test_accounts():
    assert str(parse_account("app")) == "app@%"
    assert str(parse_account("'a@b'@'Host'")) == "a@b@host"
    assert parse_account("app@%").short == "app"
