"""The commands of `linli`, one module each, found by name."""
