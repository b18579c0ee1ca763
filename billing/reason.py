"""Why a step of a chase comes, as small data and as a sentence for support, ops and the caller's screens.

A reason may name a decline that the payer must not hear of: the portal and the mails write their own.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Final

from billing.values import Value


class Because(StrEnum):
    """What made the step the next one."""

    FIRST_CHARGE = "first_charge"
    REPEAT = "repeat"
    RETRY = "retry"
    PROMISED = "promised"
    ASKED_BY_CUSTOMER = "asked_by_customer"
    METHOD_REPLACED = "method_replaced"
    ASKED_BY_SUPPORT = "asked_by_support"
    QUEUED = "queued"
    LATE = "late"
    FIRST_FAILURE = "first_failure"
    LINK = "link"
    REMINDER = "reminder"
    LAST_NOTICE = "last_notice"
    END = "end"
    DEADLINE = "deadline"
    ANSWER_LOST = "answer_lost"
    PROCESSING = "processing"
    CLOSE_FOR_NEXT = "close_for_next"
    NEVER_SENT = "never_sent"
    CLOSED = "closed"
    UNBOOKED = "unbooked"
    FROZEN = "frozen"
    BELOW_MINIMUM = "below_minimum"
    JOINED = "joined"
    ENDED = "ended"
    PARKED = "parked"


_WORDS: Final[dict[Because, tuple[str, str]]] = {
    Because.FIRST_CHARGE: ("rules 22", "first charge"),
    Because.REPEAT: ("rules 23", "repeat of a technical decline, retry {number} of {of}"),
    Because.RETRY: ("rules 23", "retry {number} of {of}"),
    Because.PROMISED: ("rules 25", "charge as promised, retry {number} of {of}"),
    Because.ASKED_BY_CUSTOMER: ("rules 23", "the customer asked to pay"),
    Because.METHOD_REPLACED: ("rules 23", "charge of the new payment method"),
    Because.ASKED_BY_SUPPORT: ("rules 23", "support asked for a try"),
    Because.QUEUED: ("engine 5", "the attempt was written and not yet begun"),
    Because.LATE: ("rules 22", "late transfers are tolerated no longer"),
    Because.FIRST_FAILURE: ("rules 24", "mail about the failed payment"),
    Because.LINK: ("engine 5", "mail with the link to pay"),
    Because.REMINDER: ("rules 24", "reminder"),
    Because.LAST_NOTICE: ("rules 24", "last notice"),
    Because.END: ("rules 24", "the chase ends"),
    Because.DEADLINE: ("rules 13", "the draft is dropped at its deadline"),
    Because.ANSWER_LOST: ("design 6.3", "the answer is missing, the provider is asked what became of it"),
    Because.PROCESSING: ("U15", "the payment is under way, the provider is asked if no news comes"),
    Because.CLOSE_FOR_NEXT: ("U15", "the attempt that waits for the payer is closed first"),
    Because.NEVER_SENT: ("engine 1", "the attempt was never sent and is dropped"),
    Because.CLOSED: ("engine 5", "nothing more is asked for on this invoice"),
    Because.UNBOOKED: ("engine 7", "a payment succeeded and is about to be booked"),
    Because.FROZEN: ("U17", "a dispute is open: waits for its outcome"),
    Because.BELOW_MINIMUM: ("rules 10", "below the least amount: waits for the next invoice"),
    Because.JOINED: ("engine 8", "an older invoice drives: waits for its outcome"),
    Because.ENDED: (
        "rules 24",
        "the policy has ended: waits for a payment, a new method, a credit or a write-off",
    ),
    Because.PARKED: ("U14", "the subscription is parked: the end waits for a person to resume it"),
}

_END_WORDS: Final[dict[str, str]] = {
    "suspend": "service is suspended",
    "cancel": "the subscription is cancelled",
    "keep": "the subscription goes on",
    "leave_open": "the invoice stays open",
    "uncollectible": "the invoice is written off",
    "credit": "the invoice is credited",
}


class Reason(Value):
    """Why a step comes. `str` and `sentence` put it in plain English."""

    because: Because
    policy: str
    """Name and version: `monthly v1`."""
    on: date | None = None
    """Local date of the step; None where it only waits."""
    policy_day: int | None = None
    decline_code: str | None = None
    """Of the last failed attempt, where it brought the step about."""
    number: int | None = None
    """Which retry it is, from 1."""
    of: int | None = None
    """How many there are at most."""
    no_charge: str | None = None
    """For a mail: why no charge goes with it."""
    subscription: str | None = None
    invoice: str | None = None

    @property
    def rule(self) -> str:
        """Where the rule is written: `rules 23`."""
        return _WORDS[self.because][0]

    def sentence(self) -> str:
        """For people: `insufficient_funds; retry 3 of 4 on 8 February 2027 (day 7 of policy monthly v1)`."""
        words = _WORDS[self.because][1].format(number=self.number, of=self.of)
        lead = f"{self.decline_code}; " if self.decline_code else ""
        when = f" on {self.on.day} {self.on:%B %Y}" if self.on else ""
        day = f"day {self.policy_day} of " if self.policy_day is not None else ""
        where = f" ({day}policy {self.policy})" if self.on else ""
        not_charged = f"; not charged: {self.no_charge}" if self.no_charge else ""
        return f"{lead}{words}{when}{where}{not_charged}{self._ends_with}"

    @property
    def _ends_with(self) -> str:
        """What the end does to the subscription and to the invoice."""
        does = [_END_WORDS.get(end, end) for end in (self.subscription, self.invoice) if end]
        return f": {', '.join(does)}" if does else ""
