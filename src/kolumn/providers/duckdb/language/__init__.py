"""DuckDB's SQL: tokens, types, what its own parser says of a text, the dialect."""
