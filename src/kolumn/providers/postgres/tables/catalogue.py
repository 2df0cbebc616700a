"""The catalogue queries behind tables and indexes: plain rows, put together in Python (see `reading`).

Queries bring what is rare as NULL where it is as usual, so that most rows are short. They do not sort: that takes the
server longer than all else, and the reader has few rows of each table to put in order.
https://www.postgresql.org/docs/current/catalogs.html
"""

from __future__ import annotations

from collections.abc import Mapping

from kolumn.providers.postgres.connection.server import Server
from kolumn.providers.postgres.reading import not_a_member


def queries(server: Server) -> Mapping[str, str]:
    """Return the queries by name; each column is explained by the class in `reading` it becomes."""
    return {
        "tables": _tables(),
        "columns": _columns(server),
        "constraints": _constraints(server),
        "inheritance": _INHERITANCE,
        "owned_sequences": _OWNED_SEQUENCES,
    }


def _tables() -> str:
    return f"""
SELECT c.oid, n.nspname, c.relname, pg_get_userbyid(c.relowner), c.relkind = 'p', c.relpersistence = 'u',
    CASE WHEN am.amname <> 'heap' THEN am.amname END, ts.spcname, c.reloptions, toast.reloptions,
    c.relrowsecurity, c.relforcerowsecurity, c.relreplident::text,
    CASE WHEN c.reloftype <> 0 THEN format_type(c.reloftype, NULL) END,
    CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END,
    CASE WHEN c.relispartition THEN pg_get_expr(c.relpartbound, c.oid) END
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam
LEFT JOIN pg_catalog.pg_tablespace ts ON ts.oid = c.reltablespace
LEFT JOIN pg_catalog.pg_class toast ON toast.oid = c.reltoastrelid AND toast.reloptions IS NOT NULL
WHERE c.relkind IN ('r', 'p') AND {{user_schemas}} AND {not_a_member("pg_class", "c.oid")}
"""


def _columns(server: Server) -> str:
    compression = "nullif(a.attcompression::text, '')" if server.since(14) else "NULL"
    return f"""
SELECT a.attrelid, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
    CASE WHEN a.atthasdef THEN (
        SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_catalog.pg_attrdef d
        WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum
    ) END, nullif(a.attgenerated::text || a.attidentity::text, ''),
    a.attislocal, a.attinhcount > 0,
    CASE WHEN a.attcollation <> t.typcollation THEN cn.nspname END,
    CASE WHEN a.attcollation <> t.typcollation THEN co.collname END,
    CASE WHEN a.attstorage <> t.typstorage THEN a.attstorage::text END,
    {compression}, nullif(a.attstattarget, -1), a.attoptions
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_collation co ON a.attcollation <> t.typcollation AND co.oid = a.attcollation
LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace
WHERE c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped AND {{user_schemas}}
"""


def _constraints(server: Server) -> str:
    columns = "k.confdelsetcols" if server.since(15) else "NULL"
    enforced = "k.conenforced" if server.since(18) else "true"
    period = "k.conperiod" if server.since(18) else "false"
    kinds = "'p', 'u', 'x', 'c', 'f', 'n'" if server.since(18) else "'p', 'u', 'x', 'c', 'f'"
    return f"""
SELECT k.conrelid, k.oid, k.conname, k.contype::text, k.conkey, k.condeferrable, k.condeferred, k.convalidated,
    {enforced}, k.connoinherit, k.conislocal, k.conparentid <> 0, {period},
    CASE k.contype WHEN 'c' THEN pg_get_expr(k.conbin, k.conrelid) WHEN 'x' THEN pg_get_constraintdef(k.oid) END,
    k.conindid, k.confrelid, k.confkey, k.confupdtype::text, k.confdeltype::text, k.confmatchtype = 'f', {columns},
    tn.nspname, t.relname
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_class t ON t.oid = k.confrelid
LEFT JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
WHERE c.relkind IN ('r', 'p') AND k.contype IN ({kinds}) AND {{user_schemas}}
"""


_INHERITANCE = """
SELECT i.inhrelid, i.inhparent
FROM pg_catalog.pg_inherits i
JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE {user_schemas}
ORDER BY i.inhrelid, i.inhseqno
"""

_OWNED_SEQUENCES = """
SELECT d.objid, d.refobjid, d.refobjsubid, d.deptype = 'i', n.nspname, c.relname,
    format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle,
    c.relpersistence <> r.relpersistence
FROM pg_catalog.pg_depend d
JOIN pg_catalog.pg_sequence s ON s.seqrelid = d.objid
JOIN pg_catalog.pg_class c ON c.oid = d.objid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_class r ON r.oid = d.refobjid
WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0
    AND d.deptype IN ('a', 'i') AND {user_schemas}
"""


def indexes(server: Server) -> str:
    """Return the query of all indexes, those behind constraints as well."""
    distinct = "i.indnullsnotdistinct" if server.since(15) else "false"
    return f"""
SELECT i.indexrelid, n.nspname, c.relname, i.indrelid, i.indisclustered, i.indisreplident, i.indisvalid,
    c.relkind = 'I', k.oid, c.reloptions, ts.spcname, i.indnkeyatts, {distinct},
    CASE WHEN k.oid IS NULL THEN pg_get_indexdef(i.indexrelid) END, i.indkey::int2[],
    target.numbers, tn.nspname, t.relname, t.relkind = 'm'
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class t ON t.oid = i.indrelid JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_constraint k ON k.conindid = i.indexrelid AND k.conrelid = i.indrelid
    AND k.contype IN ('p', 'u', 'x')
LEFT JOIN pg_catalog.pg_tablespace ts ON ts.oid = c.reltablespace
LEFT JOIN (
    SELECT a.attrelid, array_agg(a.attnum || ':' || a.attstattarget ORDER BY a.attnum) AS numbers
    FROM pg_catalog.pg_attribute a WHERE a.attstattarget >= 0 GROUP BY a.attrelid
) target ON target.attrelid = i.indexrelid
WHERE {{user_schemas}} AND i.indislive AND {not_a_member("pg_class", "i.indrelid")}
"""
