-- The floor: what any tool must read at least to know the tables, indexes, constraints and views of a
-- database. One statement per catalogue, nothing done with the rows. Run by psql with its output thrown away.
\set QUIET on
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL search_path = '';

SELECT n.oid, n.nspname, n.nspowner, n.nspacl
FROM pg_namespace n WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema';

SELECT c.oid, c.relname, c.relnamespace, c.relkind, c.relpersistence, c.relowner, c.relacl, c.reloptions,
    c.reltablespace, c.relam, c.relrowsecurity, c.relforcerowsecurity, c.relreplident, c.relispartition
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema';

SELECT a.attrelid, a.attnum, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull,
    a.attidentity, a.attgenerated, a.attcollation, a.attstorage, a.attcompression, a.attstattarget
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c')
    AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema';

SELECT d.adrelid, d.adnum, pg_catalog.pg_get_expr(d.adbin, d.adrelid)
FROM pg_attrdef d JOIN pg_class c ON c.oid = d.adrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema';

SELECT i.indexrelid, i.indrelid, i.indisunique, i.indisprimary, i.indisvalid, i.indkey, i.indcollation,
    i.indclass, i.indoption, pg_catalog.pg_get_expr(i.indexprs, i.indrelid),
    pg_catalog.pg_get_expr(i.indpred, i.indrelid)
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema';

SELECT k.oid, k.conname, k.connamespace, k.contype, k.condeferrable, k.condeferred, k.convalidated, k.conrelid,
    k.conindid, k.confrelid, k.confupdtype, k.confdeltype, k.confmatchtype, k.conkey, k.confkey,
    pg_catalog.pg_get_expr(k.conbin, k.conrelid)
FROM pg_constraint k JOIN pg_namespace n ON n.oid = k.connamespace
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema';

SELECT c.oid, pg_catalog.pg_get_viewdef(c.oid)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('v', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema';

SELECT d.objoid, d.classoid, d.objsubid, d.description FROM pg_description d WHERE d.objoid >= 16384;

SELECT d.classid, d.objid, d.refobjid, d.deptype FROM pg_depend d
WHERE d.classid = 'pg_rewrite'::regclass AND d.objid >= 16384;
COMMIT;
