"""Tables of PostgreSQL: their model, how the catalogues tell of them, and the SQL that makes and changes them."""
