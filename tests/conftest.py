"""Fixtures that every test may use."""

from hypothesis import settings

# How long an example takes says more about the machine than about the rule.
settings.register_profile("relance", deadline=None)
settings.load_profile("relance")

# A module that another one imports comes before it, or pytest cannot rewrite its assertions.
pytest_plugins = [
    "fakes",
    "support.databases",
    "support.processes",
    "support.life",
    "support.servers",
    "support.mailroom",
    "support.worlds",
    "support.api",
    "support.portal",
    "support.terminal",
]
