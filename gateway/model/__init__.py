"""The nouns that rooms hand to each other: frozen, without I/O and without third parties."""
