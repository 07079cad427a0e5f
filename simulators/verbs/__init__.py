"""The verbs of `linli-sim`, each found by its file name: HELP, EXAMPLE, `configure` and `run`."""
