"""How others get in: a typed client, a command line, an HTTP door."""
