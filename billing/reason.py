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
    DEBIT_NOTICE = "debit_notice"
    DEBIT_NOTICE_AGAIN = "debit_notice_again"
    DEBIT = "debit"
    DEBIT_REPEATED = "debit_repeated"
    REPEAT = "repeat"
    RETRY = "retry"
    PROMISED = "promised"
    BACKUP = "backup"
    CARD_RENEWED = "card_renewed"
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
    Because.DEBIT_NOTICE: ("rules 28", "mail that announces the SEPA debit of {day}"),
    Because.DEBIT_NOTICE_AGAIN: ("rules 28", "mail that announces that the SEPA debit is repeated on {day}"),
    Because.DEBIT: (
        "rules 28",
        "SEPA debit announced for {day}, the first banking day after the {notice} notice",
    ),
    Because.DEBIT_REPEATED: (
        "rules 28",
        "SEPA debit announced again for {day}: five banking days after it failed, and the {notice} notice, are over",
    ),
    Because.REPEAT: ("rules 23", "repeat of a technical decline, retry {number} of {of}"),
    Because.RETRY: ("rules 23", "retry {number} of {of}"),
    Because.PROMISED: ("rules 25", "charge as promised, retry {number} of {of}"),
    Because.BACKUP: ("rules 23", "another charge at once, retry {number} of {of}"),
    Because.CARD_RENEWED: ("rules 23", "the card was renewed by its bank, retry {number} of {of}"),
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


class MovedBy(StrEnum):
    """What put a charge on a later day than its own."""

    NETWORK = "network"
    CARD_TRIED = "card_tried"
    CARD_FULL = "card_full"
    GOOD_DAY = "good_day"
    PAYDAY = "payday"
    SUNDAY = "sunday"
    PUBLIC_HOLIDAY = "public_holiday"


_MOVED_WORDS: Final[dict[MovedBy, tuple[str, str]]] = {
    MovedBy.NETWORK: ("rules 27", "Mastercard asks to wait {wait}"),
    MovedBy.CARD_TRIED: (
        "rules 27",
        "a card is tried again once in 24 hours, and another try was declined on {day}",
    ),
    MovedBy.CARD_FULL: ("rules 27", "10 charges of the card were declined within 30 days"),
    MovedBy.GOOD_DAY: ("policy", "the day of the month on which this customer's card worked in {month}"),
    MovedBy.PAYDAY: ("policy", "the payday of the policy"),
    MovedBy.SUNDAY: ("policy", "no charge on a Sunday"),
    MovedBy.PUBLIC_HOLIDAY: ("policy", "no charge on a public holiday in {country}"),
}
_DAY_HOURS: Final = 24


class Move(Value):
    """One rule that put a charge on a later day, with what the rule read."""

    by: MovedBy
    hours: int | None = None
    """How long a network asks to wait. Only Mastercard does."""
    on: date | None = None
    """The day that the rule looked back to."""
    country: str = ""

    @property
    def rule(self) -> str:
        """Where the rule is written: `rules 27`, or `policy`."""
        return _MOVED_WORDS[self.by][0]

    def words(self, step_on: date) -> str:
        """For people; the year is named where it is another than that of the step."""
        day = _day(self.on, beside=step_on) if self.on else ""
        month = day.partition(" ")[2]
        return _MOVED_WORDS[self.by][1].format(
            wait=_wait(self.hours or 0), day=day, month=month, country=self.country
        )


def _wait(hours: int) -> str:
    if hours > _DAY_HOURS and hours % _DAY_HOURS == 0:
        return f"{hours // _DAY_HOURS} days"
    return "1 hour" if hours == 1 else f"{hours} hours"


def _day(day: date, *, beside: date | None = None) -> str:
    """`8 February 2027`, without the year where it stands beside a day of the same."""
    same_year = beside is not None and day.year == beside.year
    return f"{day.day} {day:%B}" if same_year else f"{day.day} {day:%B %Y}"


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
    on_backup: bool = False
    """Whether the backup method is charged, in the place of the default one."""
    no_charge: str | None = None
    """For a mail: why no charge goes with it."""
    moved_from: date | None = None
    """The charge's own day, where rules put it on a later one."""
    put_off_to: date | None = None
    """For a mail: the later day of the charge that would have gone with it."""
    moves: tuple[Move, ...] = ()
    """The rules that put the charge there, the one that decided first."""
    notice_days: int | None = None
    """Of a direct debit: how long before it the payer is told."""
    subscription: str | None = None
    invoice: str | None = None

    @property
    def rule(self) -> str:
        """Where the rule is written: `rules 23`."""
        return _WORDS[self.because][0]

    def sentence(self) -> str:
        """For people: `insufficient funds; retry 3 of 4 on 8 February 2027 (day 7 of policy monthly v1)`.

        A charge that was put off says from which day, and by what.
        """
        words = _WORDS[self.because][1].format(number=self.number, of=self.of, **self._debit)
        words += " with the backup method" if self.on_backup else ""
        lead = f"{self.decline_code.replace('_', ' ')}; " if self.decline_code else ""
        when = f" on {_day(self.on)}{self._moved}" if self.on and self.notice_days is None else ""
        day = f"day {self.policy_day} of " if self.policy_day is not None else ""
        where = f" ({day}policy {self.policy})" if self.on else ""
        return f"{lead}{words}{when}{where}{self._not_charged}{self._ends_with}"

    @property
    def _debit(self) -> dict[str, str]:
        """The day of a direct debit, and how long before it the payer is told."""
        if self.on is None or self.notice_days is None:
            return {}
        notice = "day's" if self.notice_days == 1 else f"{self.notice_days} days'"
        return {"day": _day(self.on), "notice": notice}

    @property
    def _moved(self) -> str:
        if self.moved_from is None or self.on is None:
            return ""
        return f", moved from {_day(self.moved_from, beside=self.on)}: {self._causes(self.on)}"

    def _causes(self, on: date) -> str:
        return "; ".join(move.words(on) for move in self.moves)

    @property
    def _not_charged(self) -> str:
        if self.no_charge:
            return f"; not charged: {self.no_charge}"
        if self.put_off_to is None:
            return ""
        return f"; not charged before {_day(self.put_off_to)}: {self._causes(self.put_off_to)}"

    @property
    def _ends_with(self) -> str:
        """What the end does to the subscription and to the invoice."""
        does = [_END_WORDS.get(end, end) for end in (self.subscription, self.invoice) if end]
        return f": {', '.join(does)}" if does else ""
