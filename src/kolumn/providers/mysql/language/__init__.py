"""The language of MySQL and MariaDB: tokens, names, types, what is one expression, scripts."""
