"""The catalogue of events: every business fact that a backend may hear of, and what is told with it.

The envelope is the same for all (`Event`); what differs is `data`. Only what the catalogue names leaves the house: a
fact that the books keep beside, such as who asked, stays inside.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import Field

from billing.errors import InvalidInput
from billing.values import Value

ALL_OF: Final = ".*"
"""`invoice.*` is every event about invoices."""


class Event(Value):
    """An event as a backend receives it: ids, amounts in minor units, and whether to let the customer in."""

    id: str
    """The same at every delivery of it: what to tell repetitions by."""
    type: str
    version: int
    """Of what `data` holds for this type: fields are added without a new number, never taken away."""
    timestamp: datetime
    """The business instant of the fact; on a test clock the clock's."""
    subscription: str
    reference: str | None
    """The caller's own name for the subscription."""
    customer: str
    clock: str | None
    """The test clock that the subscription lives on."""
    sequence: int
    """Counts the events of this subscription from 1, without a gap."""
    status: str
    plan: str
    entitled: bool
    access_until: datetime | None
    """Until when to let the customer in without having heard anything newer."""
    reason: str
    """One sentence that says why the customer may, or may not, use the service."""
    data: dict[str, Any]


class EventKind(Value):
    """One type of event.

    Attributes:
        says: what happened.
        data: what is told, each with an example.
        version: see `Event.version`.
    """

    says: str
    data: dict[str, Any] = Field(default_factory=dict)
    version: int = 1


_INVOICE: Final = {
    "invoice": "in_7k2d9x4q8m1v5c3b6n0z2w4t",
    "number": "F2027-000131",
    "status": "open",
    "total_minor": 5880,
    "open_minor": 5880,
    "currency": "EUR",
}
_PAID_INVOICE: Final = {**_INVOICE, "status": "paid", "open_minor": 0}
_PAYMENT: Final = {
    "attempt": 1,
    "trigger": "first",
    "transfer": None,
    "received_on": None,
    "amount_minor": 5880,
    "unapplied_minor": 0,
}
_TRANSFER: Final = {
    **_PAYMENT,
    "attempt": None,
    "trigger": None,
    "transfer": "tr_5m8c1x7q2k9d4v6b3n0z8w1t",
    "received_on": "2027-02-09",
}
_REFUND: Final = {
    "refund": "rf_9d4v6b3n0z8w1t5m8c1x7q2k",
    "invoice": "in_7k2d9x4q8m1v5c3b6n0z2w4t",
    "number": "F2027-000131",
    "credit_note": "cn_3n0z8w1t5m8c1x7q2k9d4v6b",
    "amount_minor": 5880,
    "currency": "EUR",
    "state": "succeeded",
    "failure": "",
}
_DISPUTE: Final = {
    "dispute": "dsp_1x7q2k9d4v6b3n0z8w1t5m8c",
    "invoice": "in_7k2d9x4q8m1v5c3b6n0z2w4t",
    "number": "F2027-000131",
    "amount_minor": 5880,
    "currency": "EUR",
    "reason": "fraudulent",
}
_CLAIM: Final = {
    "invoice": "in_7k2d9x4q8m1v5c3b6n0z2w4t",
    "number": "F2027-000131",
    "claim": "lc_8w1t5m8c1x7q2k9d4v6b3n0z",
    "interest_minor": 312,
    "recovery_minor": 4000,
    "waived_minor": 0,
}
_CHANGE: Final = {"from": "Pro", "to": "Max", "quantity": "3"}
_METHOD: Final = {"payment_method": "pm_2k9d4v6b3n0z8w1t5m8c1x7q", "kind": "card"}

CATALOGUE: Final[Mapping[str, EventKind]] = {
    # The right to the service: these three are all that a backend needs to open and close its door
    "access.granted": EventKind(says="The customer may use the service from now on."),
    "access.changed": EventKind(says="The customer may still use it, until another instant than was told."),
    "access.ended": EventKind(says="The customer may not use the service any more."),
    # A subscription's life
    "subscription.trial_started": EventKind(says="The trial began.", data={"trial_end_on": "2027-02-14"}),
    "subscription.trial_ending": EventKind(
        says="The trial ends in three days.", data={"trial_end_on": "2027-02-14"}
    ),
    "subscription.incomplete": EventKind(says="It waits for its first payment."),
    "subscription.incomplete_expired": EventKind(says="The first payment never came: it is over."),
    "subscription.signed_up": EventKind(
        says="Somebody signed up for it by themselves, on the page of a sign-up session.",
        data={"signup_session": "su_5m8c1x7q2k9d4v6b3n0z8w1t", "early_start_requested": False},
    ),
    "subscription.imported": EventKind(
        says="It was brought in from another system, where it is paid until that day.",
        data={"paid_elsewhere_until": "2027-02-28"},
    ),
    "subscription.started": EventKind(says="The first paid period began, or its first payment came."),
    "subscription.past_due": EventKind(says="A payment is overdue. Service goes on, and dunning began."),
    "subscription.recovered": EventKind(says="Nothing is overdue any more."),
    "subscription.unpaid": EventKind(says="The dunning policy ended and the service is suspended."),
    "subscription.pause_scheduled": EventKind(says="It pauses at the end of the period."),
    "subscription.paused": EventKind(says="It is paused."),
    "subscription.resumed": EventKind(says="It goes on after a pause, or after it was unpaid."),
    "subscription.cancel_scheduled": EventKind(
        says="A cancel is planned; from that day on there is no service.", data={"ends_on": "2027-02-28"}
    ),
    "subscription.kept": EventKind(says="The cancel or the pause that was planned is taken back."),
    "subscription.canceled": EventKind(
        says="It is over for good.", data={"reason": "canceled at the end of the period"}
    ),
    "subscription.change_scheduled": EventKind(
        says="Another plan or quantity is planned for the period's end.", data={"to": "Max"}
    ),
    "subscription.change_undone": EventKind(says="A planned change is taken back."),
    "subscription.change_waiting": EventKind(
        says="A change was asked for that is made when what it bills is paid.",
        data={"to": "Max", "invoice": _INVOICE["invoice"], "command": "cmd_6b3n0z8w1t5m8c1x7q2k9d4v"},
    ),
    "subscription.change_dropped": EventKind(
        says="A change that waited for its payment was not paid, and is not made.",
        data={"invoice": _INVOICE["invoice"]},
    ),
    "subscription.plan_changed": EventKind(says="Another plan, price or quantity holds now.", data=_CHANGE),
    "subscription.price_change_announced": EventKind(
        says="The seller announced other prices.", data={"to": "Pro", "from_on": "2027-06-01"}
    ),
    "subscription.renewal_upcoming": EventKind(
        says="A fixed term will renew; the customer may still leave.", data={"renews_on": "2028-01-31"}
    ),
    "subscription.coupon_added": EventKind(says="A coupon was added.", data={"coupon": "cpn_spring"}),
    "subscription.command_refused": EventKind(
        says="A command that had been accepted could not be carried out when its turn came; nothing was changed.",
        data={
            "command": "cmd_6b3n0z8w1t5m8c1x7q2k9d4v",
            "kind": "change_plan",
            "reason": "It is canceled already.",
        },
    ),
    "subscription.parked": EventKind(says="It waits for a person; service goes on."),
    "subscription.unparked": EventKind(says="A person let it go on."),
    # What is billed
    "invoice.issued": EventKind(says="An invoice has its number.", data=_INVOICE),
    "invoice.brought_in": EventKind(
        says="An open invoice of another system is collected, or shown, here.", data=_INVOICE
    ),
    "invoice.paid": EventKind(
        says="An invoice is paid: by a charge, a transfer, the balance, or since nothing was to pay.",
        data={**_PAID_INVOICE, **_PAYMENT},
    ),
    "invoice.partly_paid": EventKind(
        says="A part of an invoice is paid.",
        data={**_INVOICE, "open_minor": 880, **_TRANSFER, "amount_minor": 5000},
    ),
    "invoice.closed": EventKind(says="An invoice is closed by a credit note.", data=_PAID_INVOICE),
    "invoice.reopened": EventKind(says="A payment was taken back: the invoice is open again.", data=_INVOICE),
    "invoice.written_off": EventKind(
        says="We stopped asking for an invoice; it is still owed.",
        data={**_INVOICE, "status": "uncollectible"},
    ),
    "invoice.voided": EventKind(
        says="A draft was dropped, or a period had nothing to bill: there is no number and no document.",
        data={**_INVOICE, "number": None, "status": "void"},
    ),
    "credit_note.issued": EventKind(
        says="A credit note was issued.",
        data={
            "credit_note": "cn_3n0z8w1t5m8c1x7q2k9d4v6b",
            "number": "A2027-000007",
            "invoice": "in_7k2d9x4q8m1v5c3b6n0z2w4t",
            "total_minor": 5880,
            "currency": "EUR",
        },
    ),
    "correction.refused": EventKind(
        says="A correction that had waited for a payment under way was refused.",
        data={
            "command": "cmd_6b3n0z8w1t5m8c1x7q2k9d4v",
            "invoice": "in_7k2d9x4q8m1v5c3b6n0z2w4t",
            "reason": "Nothing is open on this invoice.",
        },
    ),
    # Money in
    "payment.processing": EventKind(
        says="The bank took the payment up; its answer comes later.",
        data={**_INVOICE, **_PAYMENT, "decline_code": None},
    ),
    "payment.action_required": EventKind(
        says="The bank wants the customer to confirm a payment.",
        data={**_INVOICE, **_PAYMENT, "decline_code": "authentication_required"},
    ),
    "payment.failed": EventKind(
        says="A charge was declined.", data={**_INVOICE, **_PAYMENT, "decline_code": "insufficient_funds"}
    ),
    "payment.unapplied": EventKind(
        says="Money came that no invoice asks for; it is held for the customer.",
        data={**_PAID_INVOICE, **_TRANSFER, "unapplied_minor": 5880},
    ),
    "payment.taken_back": EventKind(
        says="A transfer that was recorded by mistake is undone.", data={**_INVOICE, **_TRANSFER}
    ),
    "payment_method.replaced": EventKind(says="The customer gave another payment method.", data=_METHOD),
    "payment_method.backup_set": EventKind(
        says="The customer agreed that another card stands in where the one that is charged is dead.",
        data=_METHOD,
    ),
    "payment_method.backup_dropped": EventKind(says="Nothing stands in any more.", data=_METHOD),
    "payment_method.removed": EventKind(
        says="A payment method was taken away; a backup may have taken its place.",
        data={**_METHOD, "takes_over": None},
    ),
    "payment_method.expiring": EventKind(
        says="The card expires soon, or before a charge that is known.", data={"expires_on": "2027-03-31"}
    ),
    # The chase
    "dunning.step": EventKind(
        says="A step of the chase: a mail, a retry that was held, the last notice.",
        data={"invoice": _INVOICE["invoice"], "step": "reminder", "why": "schedule"},
    ),
    "dunning.steered": EventKind(
        says="A person decided about the chase: a promise, a hold, a skip.",
        data={
            "invoice": _INVOICE["invoice"],
            "directive": "promise",
            "until": "2027-02-20",
            "ends_on": "2027-02-27",
        },
    ),
    "dunning.ended": EventKind(
        says="The dunning policy is over, and nobody retries any more.",
        data={"invoice": _INVOICE["invoice"], "subscription_end": "suspend"},
    ),
    "late_claim.made": EventKind(says="Interest and costs of late payment were claimed.", data=_CLAIM),
    "late_claim.paid": EventKind(
        says="A transfer paid such a claim, and nothing of the invoice.",
        data={**_PAID_INVOICE, **_TRANSFER, "amount_minor": 0},
    ),
    "late_claim.waived": EventKind(
        says="Such a claim was let go, in whole or in part.", data={**_CLAIM, "waived_minor": 4312}
    ),
    # Money out
    "refund.requested": EventKind(says="Money is on its way back.", data={**_REFUND, "state": "queued"}),
    "refund.pending": EventKind(
        says="The provider took the refund up.", data={**_REFUND, "state": "pending"}
    ),
    "refund.requires_action": EventKind(
        says="The provider asks the customer where to send it.", data={**_REFUND, "state": "requires_action"}
    ),
    "refund.succeeded": EventKind(says="Money went back.", data=_REFUND),
    "refund.failed": EventKind(
        says="The money came back to us, or never left.",
        data={**_REFUND, "state": "failed", "failure": "expired_or_canceled_card"},
    ),
    "refund.canceled": EventKind(says="The refund was dropped.", data={**_REFUND, "state": "canceled"}),
    "refund.not_asked_for": EventKind(
        says="A refund that began at the provider was booked.", data={**_REFUND, "credit_note": None}
    ),
    "balance.paid_out": EventKind(says="A person sent money back by other means.", data=_REFUND),
    "dispute.inquiry": EventKind(says="The bank asks about a payment.", data=_DISPUTE),
    "dispute.opened": EventKind(says="The payer disputes a payment; its invoice is frozen.", data=_DISPUTE),
    "dispute.won": EventKind(says="The bank decided for us.", data=_DISPUTE),
    "dispute.lost": EventKind(says="The bank decided for the payer.", data=_DISPUTE),
    "dispute.closed": EventKind(says="An inquiry ended without a dispute.", data=_DISPUTE),
}
"""By name, in the order of the page."""


def kind_of(name: str) -> EventKind:
    """What is known of an event; one of an earlier release, whose name is gone, tells nothing beside the envelope."""
    return CATALOGUE.get(name, EventKind(says=""))


def example(name: str) -> Event:
    """An event of this type, made up.

    Raises:
        InvalidInput: there is no such event; field `types`.
    """
    check_types([name])
    lets_in = name not in _WITHOUT_SERVICE
    return Event(
        id="evt_sub_4q8m1v5c3b6n0z2w4t7k2d9x_7",
        type=name,
        version=kind_of(name).version,
        timestamp=datetime(2027, 1, 31, 8, 0, tzinfo=UTC),
        subscription="sub_4q8m1v5c3b6n0z2w4t7k2d9x",
        reference="acme",
        customer="cus_8m1v5c3b6n0z2w4t7k2d9x4q",
        clock=None,
        sequence=7,
        status=_WITHOUT_SERVICE.get(name, "active"),
        plan="plan_1v5c3b6n0z2w4t7k2d9x4q8m",
        entitled=lets_in,
        access_until=datetime(2027, 3, 1, 23, 0, tzinfo=UTC) if lets_in else None,
        reason="active" if lets_in else "canceled",
        data=kind_of(name).data,
    )


_WITHOUT_SERVICE: Final = {"access.ended": "canceled", "subscription.canceled": "canceled"}


def told(name: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    """What leaves the house of the facts that the books keep: the fields that the catalogue names, each there."""
    return {field: facts.get(field) for field in kind_of(name).data}


def check_types(types: Iterable[str]) -> tuple[str, ...]:
    """Names of events, or `invoice.*` for a group, each once.

    Raises:
        InvalidInput: there is no such event; field `types`.
    """
    asked = tuple(dict.fromkeys(types))
    groups = {group_of(name) for name in CATALOGUE}
    for each in asked:
        if each not in CATALOGUE and each not in groups:
            raise InvalidInput(
                f"There is no event {each}. Name one of the catalogue, or a group: "
                f"{', '.join(sorted(groups))}.",
                field="types",
            )
    return asked


def group_of(name: str) -> str:
    """The group of an event: `invoice.*`."""
    return name.partition(".")[0] + ALL_OF


def is_wanted(name: str, types: Iterable[str]) -> bool:
    """Whether somebody who asked for these types wants an event; who named none wants all."""
    asked = set(types)
    return not asked or name in asked or group_of(name) in asked
