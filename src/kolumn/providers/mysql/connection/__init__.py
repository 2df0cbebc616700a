"""Settings, connections, transactions, locks, and the errors of the server."""
