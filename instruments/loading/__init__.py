"""From record batches to tables: check, stage, merge."""
