"""The sentences that a document prints about its VAT, and how EN 16931 says the same.

Sources: directive 2006/112/EC art. 226 (11) and (11a); CGI ann. II art. 242 nonies A; BOI-TVA-DECLA-30-20-20-30;
code list VATEX. French law is quoted by the general tax code: VAT has moved to the code of taxes on goods and
services (ordinance 2025-1247), and invoices may quote the former until 31 December 2027.
"""

from __future__ import annotations

from typing import Final

from billing.taxation import (
    EXEMPT_MENTION,
    NO_VAT_OVERSEAS_MENTION,
    OUTSIDE_EU_MENTION,
    REVERSE_CHARGE_MENTION,
    SMALL_BUSINESS_MENTION,
)
from billing.values import Value


class Mention(Value):
    """A sentence of the law, as printed."""

    fr: str
    en: str
    reason_code: str | None = None
    """Code of the reason in the list VATEX (BT-121), where there is one."""

    def text(self, language: str) -> str:
        """The sentence in French, or else in English."""
        return self.fr if language == "fr" else self.en


_SMALL_BUSINESS_IN_FRANCE: Final = Mention(
    fr="TVA non applicable, art. 293 B du CGI",
    en="VAT not applicable, art. 293 B of the French tax code (TVA non applicable, art. 293 B du CGI)",
    reason_code="VATEX-FR-FRANCHISE",
)
_MENTIONS: Final = {
    REVERSE_CHARGE_MENTION: Mention(
        fr="Autoliquidation : TVA due par le preneur (art. 196 de la directive 2006/112/CE)",
        en="Reverse charge: VAT is due by the customer (art. 196 of directive 2006/112/EC) - Autoliquidation",
        reason_code="VATEX-EU-AE",
    ),
    SMALL_BUSINESS_MENTION: Mention(
        fr="Exonération de TVA : régime des petites entreprises (art. 284 de la directive 2006/112/CE)",
        en="Exempt from VAT: scheme for small enterprises (art. 284 of directive 2006/112/EC)",
    ),
    NO_VAT_OVERSEAS_MENTION: Mention(
        fr="TVA non applicable, art. 294-1 du CGI",
        en="VAT not applicable, art. 294-1 of the French tax code",
        reason_code="VATEX-EU-O",
    ),
    OUTSIDE_EU_MENTION: Mention(
        fr="TVA non applicable : le lieu de la prestation est hors de l’Union européenne "
        "(art. 44, 58 et 59 de la directive 2006/112/CE)",
        en="Not subject to VAT: the place of supply is outside the European Union "
        "(art. 44, 58 and 59 of directive 2006/112/EC)",
        reason_code="VATEX-EU-O",
    ),
    EXEMPT_MENTION: Mention(fr="Prestation exonérée de TVA", en="Supply exempt from VAT"),
}


def mention(key: str, *, seller_country: str) -> Mention:
    """The sentence for a key of `billing.taxation`.

    Args:
        key: never the empty one: then there is nothing to print.
        seller_country: ISO 3166-1; the law that exempts a small business is the seller's.
    """
    if key == SMALL_BUSINESS_MENTION and seller_country == "FR":
        return _SMALL_BUSINESS_IN_FRANCE
    return _MENTIONS[key]
