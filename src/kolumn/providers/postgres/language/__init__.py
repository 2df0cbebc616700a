"""PostgreSQL's SQL: how it is cut, what names and types mean, when two texts are the same."""
