"""Site and profile YAML: the only room that parses it, and says what is wrong with it."""
