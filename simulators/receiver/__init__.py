"""A consumer of the native dialect that loses and doubles nothing: `linli-sim platform`."""
