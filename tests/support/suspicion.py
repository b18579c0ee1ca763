"""Words from which a payer could guess that a bank suspects them, in the languages that they read."""

from __future__ import annotations

import re
from typing import Final

SUSPICION: Final = re.compile(
    r"fraud|stolen|\bstole|\blost\b|steal|theft|pick-?up|suspect|suspicious|blacklist|blocked|security|\brisk|"
    r"\bvols?\b|vol[ée]|perdue?\b|soupçon|suspic|bloqu|liste noire|opposition|sécurité|risque",
    re.IGNORECASE,
)


def hint_in(text: str) -> str | None:
    """The first such word, or None."""
    found = SUSPICION.search(text)
    return found[0] if found else None
