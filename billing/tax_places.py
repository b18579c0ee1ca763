"""Where a seller or buyer is, as VAT sees it: a state, and within some states a territory with rules of its own.

Sources: directive 2006/112/EC art. 5 to 7 (what belongs to the VAT area), art. 104 and 105 (Jungholz and Mittelberg,
Azores and Madeira); for the French overseas CGI art. 294 to 296 and BOI-TVA-GEO-20.
"""

from __future__ import annotations

from typing import Final

from pydantic import Field

from billing.values import Value

EU_STATES: Final = frozenset(
    {
        "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU",
        "IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
    }
)  # fmt: skip
"""ISO 3166-1; Greece is GR here although its VAT numbers begin with EL."""

OVERSEAS_WITH_VAT: Final = frozenset({"guadeloupe", "martinique", "reunion"})
"""French VAT at rates of their own (CGI art. 296)."""
OVERSEAS_WITHOUT_VAT: Final = frozenset({"guyane", "mayotte"})
"""French departments in which VAT is not applied (CGI art. 294-1)."""
OUTSIDE_THE_VAT_AREA: Final = frozenset(
    {
        "saint_barthelemy", "saint_martin", "saint_pierre_et_miquelon", "wallis_et_futuna", "french_polynesia",
        "new_caledonia", "french_southern_territories", "canary_islands", "ceuta", "melilla", "aland",
        "busingen", "heligoland", "livigno", "campione", "mount_athos", "greenland", "faroe_islands",
    }
)  # fmt: skip
"""Parts of member states in which no member state's VAT applies (directive art. 6)."""

_OWN_CODES: Final = {
    "GP": ("FR", "guadeloupe"),
    "MQ": ("FR", "martinique"),
    "RE": ("FR", "reunion"),
    "GF": ("FR", "guyane"),
    "YT": ("FR", "mayotte"),
    "BL": ("FR", "saint_barthelemy"),
    "MF": ("FR", "saint_martin"),
    "PM": ("FR", "saint_pierre_et_miquelon"),
    "WF": ("FR", "wallis_et_futuna"),
    "PF": ("FR", "french_polynesia"),
    "NC": ("FR", "new_caledonia"),
    "TF": ("FR", "french_southern_territories"),
    "MC": ("FR", "monaco"),  # France, for VAT (directive art. 7)
    "AX": ("FI", "aland"),
    "IC": ("ES", "canary_islands"),
    "GL": ("DK", "greenland"),
    "FO": ("DK", "faroe_islands"),
}
"""Territories that have a country code of their own; addresses are written either way."""

_BY_POSTAL_CODE: Final = {
    "FR": (
        ("97133", "saint_barthelemy"),
        ("97150", "saint_martin"),
        ("971", "guadeloupe"),
        ("972", "martinique"),
        ("973", "guyane"),
        ("974", "reunion"),
        ("975", "saint_pierre_et_miquelon"),
        ("976", "mayotte"),
        ("977", "saint_barthelemy"),
        ("978", "saint_martin"),
        ("980", "monaco"),
        ("984", "french_southern_territories"),
        ("986", "wallis_et_futuna"),
        ("987", "french_polynesia"),
        ("988", "new_caledonia"),
        ("20", "corsica"),
    ),
    "ES": (("35", "canary_islands"), ("38", "canary_islands"), ("51", "ceuta"), ("52", "melilla")),
    "DE": (("78266", "busingen"), ("27498", "heligoland")),
    "IT": (("23041", "livigno"), ("22061", "campione")),
    "FI": (("22", "aland"),),
    "GR": (("63086", "mount_athos"), ("63087", "mount_athos")),
    "AT": (("6691", "jungholz_mittelberg"), ("699", "jungholz_mittelberg")),
    "PT": (
        *((f"9{digit}", "madeira") for digit in range(5)),
        *((f"9{digit}", "azores") for digit in range(5, 10)),
    ),
    "DK": (("39", "greenland"),),
}
"""First figures of the postal code, the longest first."""


class TaxPlace(Value):
    """A place as VAT sees it."""

    country: str = Field(pattern="^[A-Z]{2}$")
    """ISO 3166-1: the state whose law decides; FR for Monaco and for the French overseas."""
    territory: str | None = None
    """Part of the state with rules of its own, or None."""

    @property
    def is_in_the_eu(self) -> bool:
        """Whether it belongs to the VAT area of the Union, as another member state sees it."""
        apart = OUTSIDE_THE_VAT_AREA | OVERSEAS_WITH_VAT | OVERSEAS_WITHOUT_VAT
        return self.country in EU_STATES and self.territory not in apart

    @property
    def has_member_state_law(self) -> bool:
        """Whether a member state's VAT law decides there; true of the French overseas departments too."""
        return self.country in EU_STATES and self.territory not in OUTSIDE_THE_VAT_AREA


def place_of(country: str, postal_code: str = "") -> TaxPlace:
    """The place of an address.

    Args:
        country: ISO 3166-1 alpha-2, also of a territory that has its own: `FR` and `97400`, or `RE`.
        postal_code: as written; spaces, hyphens and a country's letters before it do not matter.
    """
    state, territory = _OWN_CODES.get(country, (country, None))
    figures = "".join(c for c in postal_code if c.isdigit())
    if territory is None:
        found = (name for start, name in _BY_POSTAL_CODE.get(state, ()) if figures.startswith(start))
        territory = next(found, None)
    elif territory == "guadeloupe":  # two islands left it and kept its postal codes
        territory = {"97133": "saint_barthelemy", "97150": "saint_martin"}.get(figures, territory)
    return TaxPlace(country=state, territory=territory)
