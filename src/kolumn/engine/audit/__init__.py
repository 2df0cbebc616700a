"""The audit trail: what was changed, by whom and when, kept in the managed database and chained by hashes."""
