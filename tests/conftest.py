"""Fixtures that every test may use."""

# A module that another one imports comes before it, or pytest cannot rewrite its assertions.
pytest_plugins = [
    "fakes",
    "support.databases",
    "support.processes",
    "support.life",
    "support.servers",
    "support.mailroom",
    "support.worlds",
    "support.terminal",
]
