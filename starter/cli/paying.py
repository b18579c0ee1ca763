"""The option with which somebody pays by transfer, the same for plans and subscriptions."""

from __future__ import annotations

from typing import Annotated

import typer

PaymentTermsOption = Annotated[
    str | None,
    typer.Option(
        help="Paid by transfer, by then: '30 days', '45 days, then end of month' or 'end of month, then 45 days'."
    ),
]


def by_transfer(payment_terms: str | None) -> dict[str, str]:
    """What the option says about the terms: it makes them those of a transfer."""
    return {} if payment_terms is None else {"collection_method": "transfer", "payment_terms": payment_terms}
