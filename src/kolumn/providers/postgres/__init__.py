"""PostgreSQL, as a Kolumn provider."""
