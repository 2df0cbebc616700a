"""DuckDB's resource types: what each says about itself, one module per kind."""
