"""The promise between host and provider: functions, messages, schemas, errors, secrets, logs."""
