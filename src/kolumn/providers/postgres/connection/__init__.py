"""The way to a PostgreSQL server: settings, driver, transactions, locks, errors, and what is known of it."""
