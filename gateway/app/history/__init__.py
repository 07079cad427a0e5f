"""Time-series databases and the local history, each with a cursor of the outbox."""
