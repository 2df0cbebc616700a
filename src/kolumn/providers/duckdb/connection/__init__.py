"""The library: opening a file, transactions, errors, rows in and out."""
