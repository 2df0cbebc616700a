"""PostgreSQL's resource types, one module each; tables have a package of their own."""
