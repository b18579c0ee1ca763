"""Stripe's own CSV exports, of customers and of subscriptions, read as rows of ours.

An export says instants in UTC and no anchor, and not which payment method is charged: the first become the customer's
dates, the others are asked of Stripe.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import BeforeValidator
from typing_extensions import override

from activities.provider_subscription import ProviderSubscription
from billing.calendar import local_date
from billing.takeover import Elsewhere
from models.tables import ImportKind
from starter.importing.files import Columns, SourceRow
from starter.importing.formats import FORMATS, Day, Line, SubscriptionLine, columns_of

_CUSTOMERS: Final = {
    "id": "stripe_customer",
    "Name": "name",
    "Email": "email",
    "Address Line1": "line1",
    "Address Line2": "line2",
    "Address Postal Code": "postal_code",
    "Address City": "city",
    "Address Country": "country",
}
_SUBSCRIPTIONS: Final = {
    "id": "stripe_subscription",
    "Customer ID": "customer",
    "Plan": "plan",
    "Quantity": "quantity",
    "Currency": "currency",
    "Start Date (UTC)": "started_at",
    "Current Period End (UTC)": "renews_at",
    "Trial End (UTC)": "trial_ends_at",
    "Status": "status",
    "Canceled At (UTC)": "canceled_at",
}
_METADATA: Final = " (metadata)"
"""What a seller keeps at Stripe beside a customer or a subscription: `kind (metadata)` fills our column `kind`."""
_RUNNING: Final = ("active", "trialing")


def _instant(text: object) -> object:
    if not isinstance(text, str):
        return text
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no instant as Stripe writes them: 2027-01-31 09:30") from None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


UtcInstant = Annotated[datetime, BeforeValidator(_instant)]


class StripeSubscriptionLine(SubscriptionLine):
    """A line of Stripe's export of subscriptions."""

    started_on: Day | None = None  # type: ignore[assignment]
    started_at: UtcInstant
    renews_at: UtcInstant
    trial_ends_at: UtcInstant | None = None
    status: str
    canceled_at: UtcInstant | None = None
    """When the customer asked that it end: the export is older than the stop before the move."""

    @override
    def elsewhere(self, timezone: str, looked: ProviderSubscription | None) -> Elsewhere:
        """Its instants as dates of the customer; the anchor is Stripe's."""
        in_trial = self.status == "trialing"
        trial_end = self.trial_ends_at or self.renews_at
        return Elsewhere(
            started_on=local_date(self.started_at, timezone),
            anchor=None if in_trial or looked is None else local_date(looked.anchor, timezone),
            renews_on=None if in_trial else local_date(self.renews_at, timezone),
            trial_ends_on=local_date(trial_end, timezone) if in_trial else None,
            cancel_at_end=self.canceled_at is not None,
            committed_until=self.committed_until,
            renewal_notice_sent=self.renewal_notice_sent,
        )


STRIPE_FORMATS: Final[Mapping[ImportKind, type[Line]]] = {
    **FORMATS,
    ImportKind.SUBSCRIPTION: StripeSubscriptionLine,
}


def stripe_columns(kind: ImportKind) -> Columns:
    """The columns that an export must have; it has many more. Other files are as written for us."""
    match kind:
        case ImportKind.CUSTOMER:
            return Columns(frozenset({"id", "Name", "Email"}), frozenset(_CUSTOMERS), ignores_others=True)
        case ImportKind.SUBSCRIPTION:
            needed = frozenset(_SUBSCRIPTIONS) - {"Trial End (UTC)", "Canceled At (UTC)", "Quantity"}
            return Columns(needed, frozenset(_SUBSCRIPTIONS), ignores_others=True)
        case _:
            return columns_of(kind)


def as_ours(row: SourceRow) -> SourceRow | None:
    """A row of an export under our names; None for one that is not taken over, such as a canceled subscription."""
    match row.kind:
        case ImportKind.CUSTOMER:
            cells = _renamed(row, _CUSTOMERS)
            cells.setdefault("reference", cells.get("stripe_customer", ""))
            cells.setdefault("name", cells.get("email", ""))
        case ImportKind.SUBSCRIPTION:
            cells = _renamed(row, _SUBSCRIPTIONS)
            cells.setdefault("reference", cells.get("stripe_subscription", ""))
            cells["currency"] = cells.get("currency", "").upper()
            if cells.get("status") in ("canceled", "incomplete_expired"):
                return None
        case _:
            return row
    return row._replace(cells={name: cell for name, cell in cells.items() if cell})


def _renamed(row: SourceRow, names: Mapping[str, str]) -> dict[str, str]:
    ours = STRIPE_FORMATS[row.kind].model_fields
    cells = {ours_: row.cells[theirs] for theirs, ours_ in names.items() if theirs in row.cells}
    for name, cell in row.cells.items():
        own = name.removesuffix(_METADATA)
        if name.endswith(_METADATA) and own in ours:
            cells[own] = cell
    return cells


def not_running(status: str) -> str | None:
    """Why a subscription in this state is not taken over; None where it is."""
    if status in _RUNNING:
        return None
    return (
        f"At Stripe it is {status}: what is owed there has to be paid or given up first. Settle it there and export "
        "again, or leave the line out."
    )
