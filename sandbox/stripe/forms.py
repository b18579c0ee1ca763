"""Reading Stripe's form encoding: `card[exp_year]=2030&expand[0]=customer`."""

import re
from collections.abc import Iterable
from urllib.parse import parse_qsl

from sandbox.stripe.errors import Document, invalid

_KEY = re.compile(r"^([^\[\]]+)((?:\[[^\[\]]*\])*)$")


def decode(encoded: str) -> Document:
    """Nested dictionaries of strings; a list is a dictionary with the keys "0", "1" and so on.

    Raises:
        ApiError: a key is malformed or is both a value and a group.
    """
    return nest(parse_qsl(encoded, keep_blank_values=True))


def nest(pairs: Iterable[tuple[str, str]]) -> Document:
    """Bring flat pairs with bracketed keys into nested dictionaries."""
    tree: Document = {}
    for key, value in pairs:
        match = _KEY.match(key)
        if match is None:
            raise invalid(f"Invalid parameter name: {key}", param=key)
        path = [match[1], *re.findall(r"\[([^\[\]]*)\]", match[2])]
        _place(tree, path, value, key)
    return tree


def _place(tree: Document, path: list[str], value: str, key: str) -> None:
    node = tree
    for step in path[:-1]:
        child = node.setdefault(step or str(len(node)), {})
        if not isinstance(child, dict):
            raise invalid(f"Invalid object: {key}", param=key)
        node = child
    node[path[-1] or str(len(node))] = value
