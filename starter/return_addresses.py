"""Where customers may be led back to from our pages: to the seller's own application, and nowhere else."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from billing.errors import InvalidInput
from settings import Settings

_LONGEST_URL: Final = 500


def check_return(settings: Settings, url: str, *, field: str) -> None:
    """Refuse an address that `RELANCE_PORTAL_RETURN_URLS` does not allow.

    Raises:
        InvalidInput: it is not below one of those; `field` as given.
    """
    allowed = settings.portal_return_urls
    is_plain = url.isprintable() and not set(url) & {" ", "\\", '"', "'", "<", ">"}
    if len(url) > _LONGEST_URL or not is_plain or not f"{url}/".startswith(allowed) or _climbs(url):
        listed = ", ".join(allowed) or "none yet"
        raise InvalidInput(
            f"Customers are not led back there. RELANCE_PORTAL_RETURN_URLS allows: {listed}.", field=field
        )


def _climbs(url: str) -> bool:
    """Whether the path leaves what it seems to be below."""
    return any(part in {".", ".."} for part in urlsplit(url).path.lower().replace("%2e", ".").split("/"))
