from kolumn.sql.dialect import Dialect


class PostgresDialect(Dialect): ...
