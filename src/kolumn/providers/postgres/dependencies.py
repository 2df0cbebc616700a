"""What PostgreSQL itself knows to depend on what (`pg_depend`), in terms of resources.

https://www.postgresql.org/docs/current/catalog-pg-depend.html
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from kolumn.engine.resource import Ref

QUERY = """
SELECT DISTINCT
    CASE
        WHEN r.oid IS NOT NULL AND r.rulename = '_RETURN' THEN 'pg_class'
        WHEN a.oid IS NOT NULL THEN 'pg_attrdef'
        WHEN k.conrelid <> 0 THEN 'pg_constraint'
        WHEN k.oid IS NOT NULL THEN 'domain_constraint'
        WHEN dt.typtype = 'd' AND d.refclassid = 'pg_proc'::regclass THEN 'domain_default'
        ELSE d.classid::regclass::text
    END,
    CASE
        WHEN r.oid IS NOT NULL AND r.rulename = '_RETURN' THEN r.ev_class
        WHEN a.oid IS NOT NULL THEN a.adrelid
        WHEN k.conrelid <> 0 THEN k.conrelid
        WHEN k.oid IS NOT NULL THEN k.contypid
        ELSE d.objid
    END,
    CASE
        WHEN a.oid IS NOT NULL THEN ac.attname::text
        WHEN k.oid IS NOT NULL THEN k.conname::text
        WHEN d.classid = 'pg_class'::regclass AND d.objsubid > 0 THEN dc.attname::text
        ELSE ''
    END,
    CASE WHEN t.typelem <> 0 OR t.typrelid = 0 THEN 'pg_type'
         WHEN t.typrelid <> 0 AND tc.relkind <> 'c' THEN 'pg_class'
         ELSE d.refclassid::regclass::text END,
    CASE WHEN t.typelem <> 0 AND t.typsubscript = 'array_subscript_handler'::regproc THEN t.typelem
         WHEN t.typrelid <> 0 AND tc.relkind <> 'c' THEN t.typrelid
         ELSE d.refobjid END,
    coalesce(rc.attname::text, ''),
    coalesce(k.contype = 'f', false)
FROM pg_catalog.pg_depend d
LEFT JOIN pg_catalog.pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
LEFT JOIN pg_catalog.pg_attrdef a ON d.classid = 'pg_attrdef'::regclass AND a.oid = d.objid
LEFT JOIN pg_catalog.pg_attribute ac ON ac.attrelid = a.adrelid AND ac.attnum = a.adnum
LEFT JOIN pg_catalog.pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid
LEFT JOIN pg_catalog.pg_attribute dc
    ON d.classid = 'pg_class'::regclass AND d.objsubid > 0
    AND dc.attrelid = d.objid AND dc.attnum = d.objsubid
LEFT JOIN pg_catalog.pg_attribute rc
    ON d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0
    AND rc.attrelid = d.refobjid AND rc.attnum = d.refobjsubid
LEFT JOIN pg_catalog.pg_type dt ON d.classid = 'pg_type'::regclass AND dt.oid = d.objid
LEFT JOIN pg_catalog.pg_type t ON d.refclassid = 'pg_type'::regclass AND t.oid = d.refobjid
LEFT JOIN pg_catalog.pg_class tc ON tc.oid = t.typrelid
LEFT JOIN pg_catalog.pg_class key
    ON k.contype = 'f' AND d.refclassid = 'pg_class'::regclass AND key.oid = d.refobjid
WHERE d.refobjid >= 16384 AND d.objid >= 16384
    AND d.deptype IN ('n', 'a')
    AND (d.deptype = 'n' OR d.classid IN (
        'pg_rewrite'::regclass, 'pg_policy'::regclass, 'pg_trigger'::regclass, 'pg_statistic_ext'::regclass,
        'pg_publication_rel'::regclass, 'pg_class'::regclass)
        OR a.oid IS NOT NULL AND d.refobjid = a.adrelid AND d.refobjsubid NOT IN (0, a.adnum))
    AND d.refclassid IN (
        'pg_class'::regclass, 'pg_type'::regclass, 'pg_proc'::regclass, 'pg_operator'::regclass,
        'pg_collation'::regclass, 'pg_ts_config'::regclass, 'pg_constraint'::regclass)
    AND (k.oid IS NULL OR k.contype <> 'f' OR d.refobjsubid > 0 OR key.relkind IN ('i', 'I'))
    AND d.classid <> 'pg_type'::regclass
    OR d.classid = 'pg_type'::regclass AND d.deptype = 'n' AND d.refobjid >= 16384
"""
"""Dependencies of parts carry the part's name. Foreign keys are told of as users of the columns and the key they
refer to, not of the table: tables know them, and make and drop them apart."""

_PARTS = {
    "pg_attrdef": ("pg_class", "default"),
    "pg_constraint": ("pg_class", "constraint"),
    "domain_default": ("pg_type", "default"),
    "domain_constraint": ("pg_type", "constraint"),
}
"""What is a part of something else: in which catalogue that is, and what the part's ref is called."""


def dependents(
    rows: Iterable[tuple[Any, ...]], refs: Mapping[tuple[str, int], Ref]
) -> Mapping[Ref, tuple[Ref, ...]]:
    """Return what depends on each object and column, from the rows of the query and what their objects are.

    A column is `Ref("column", name, schema, table)`. What depends may be an object or, of a table,
    `Ref("default", column, schema, table)`, `Ref("constraint", name, schema, table)`, or a column
    (because of its type). The parts of a domain are called so as well; its default has no name.
    """
    found: dict[Ref, dict[Ref, None]] = defaultdict(dict)
    for catalogue, oid, part, target_catalogue, target_oid, column, is_foreign_key in rows:
        whole, kind = _PARTS.get(catalogue, (catalogue, "column"))
        dependent = refs.get((whole, oid))
        target = refs.get((target_catalogue, target_oid))
        if dependent is None or target is None:
            continue
        if part or catalogue in _PARTS:
            dependent = Ref(kind, part, dependent.schema, dependent.name)
        elif dependent == target:
            continue
        if not (is_foreign_key and column):
            found[target][dependent] = None
        if column:
            found[Ref("column", column, target.schema, target.name)][dependent] = None
    return {ref: tuple(each) for ref, each in found.items()}
