"""The `linli` command: results on stdout, logs on stderr."""
