"""Made-up orders for the mail that confirms a contract."""

from __future__ import annotations

from datetime import date
from typing import Final

from billing.calendar import Interval
from mails.context import MailDiscount, MailLine, MailOrder, PriceLine

_MONTHLY: Final = MailOrder(
    ordered_on=date(2027, 1, 31),
    due_minor=5880,
    regular_minor=5880,
    every=Interval.parse("1month"),
    terms_url="https://ateliernord.example/cgv",
    terms_version="2027-01",
    debit_text="J’autorise Atelier Nord à débiter Visa •••• 4242 de ce qui est dû au titre de cet abonnement, "
    "aujourd’hui puis à chaque échéance, jusqu’à sa fin.",
    debit_version="2026-11",
    withdraw_until=date(2027, 2, 15),
)
_DUE: Final[dict[str, object]] = {
    "lines": (MailLine(description="Pro", net_minor=4900),),
    "tax_minor": 980,
    "next_charge_on": date(2027, 2, 28),
    "next_amount_minor": 5880,
}
ORDERS: Final[dict[str, dict[str, object]]] = {
    "typical": {**_DUE, "order": _MONTHLY},
    "early_start": {
        **_DUE,
        "lines": (MailLine(description="Pro", net_minor=2450),),
        "tax_minor": 490,
        "next_amount_minor": 2940,
        "quantity": 4,
        "order": _MONTHLY.model_copy(
            update={
                "due_minor": 2940,
                "early_start": True,
                "committed_until": date(2028, 1, 31),
                "discounts": (MailDiscount(name="WELCOME", off="50\u00a0%", periods=3),),
            }
        ),
    },
    "trial": {
        "next_charge_on": date(2027, 2, 14),
        "next_amount_minor": 5880,
        "order": _MONTHLY.model_copy(
            update={"due_minor": 0, "trial_end_on": date(2027, 2, 14), "debit_text": ""}
        ),
    },
    "business": {
        **_DUE,
        "tax_minor": 0,
        "next_charge_on": date(2027, 4, 30),
        "next_amount_minor": 4900,
        "by_transfer": True,
        "prices": (PriceLine(description="API", after="0.0015"),),
        "order": MailOrder(
            ordered_on=date(2027, 1, 31),
            due_minor=4900,
            regular_minor=4900,
            every=Interval.parse("3month"),
            tax_note="Autoliquidation : TVA due par le preneur.",
        ),
    },
}
"""By the name of the sample."""
