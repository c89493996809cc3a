"""Tools that all apps use: errors, fields, filters, output of commands, HTTP, logs, telemetry."""
