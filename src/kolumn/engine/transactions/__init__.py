"""Transactions that span calls (spec 3.3.2)."""
