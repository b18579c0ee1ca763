"""The dunning policies: when a failed payment is retried, when the customer is told, and how it ends. Data.

Those in this file come last: `billing.policy_choice` looks among the saved ones first. To change one of these, change
its values and raise its version: an invoice keeps the version that it started with (rules 24).
"""

from __future__ import annotations

from datetime import date, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import ClassVar, Final

from pydantic import Field, model_validator

from billing.calendar import Interval
from billing.errors import InvalidInput
from billing.values import Value

MOST_RETRIES: Final = 4
"""Automatic tries after the first charge, whatever the decline class (rules 23)."""
MOST_DEBIT_REPEATS: Final = 1
"""Of a direct debit: more of them may cost the mandate (rules 28)."""
LAST_DAY_OF_MONTH: Final = 31
MOST_DAYS: Final = 366
"""No day of a policy is later: a chase of a year is a matter for a court."""
SHORTEST_NOTICE_DAYS: Final = 3
"""No policy may set `minimum_notice_days` below this."""


class EndForSubscription(StrEnum):
    """What the end of the policy does to the subscription (rules 24)."""

    SUSPEND = "suspend"
    """Status unpaid: no service and no new debt, until what is owed is paid."""
    CANCEL = "cancel"
    KEEP = "keep"
    """Nothing: it stays past_due."""


class EndForInvoice(StrEnum):
    """What the end of the policy does to the invoice (rules 24)."""

    LEAVE_OPEN = "leave_open"
    UNCOLLECTIBLE = "uncollectible"
    CREDIT = "credit"


class AfterCancel(StrEnum):
    """What becomes of open invoices after a cancel now (rules 21)."""

    ASK = "ask"
    """No more automatic charges; the mails go on to the end of the policy."""
    COLLECT = "collect"
    WRITE_OFF = "write_off"


class DunningPolicy(Value):
    """One schedule of charges, mails and end. Days count from day 0 of the invoice (rules 22 to 24).

    Raises:
        InvalidInput: the days contradict each other; `field` names the first that does.
    """

    retries_allowed: ClassVar[int] = MOST_RETRIES
    """Of every policy that is collected by; a rehearsal compares with schedules that have more."""

    name: str = Field(min_length=1, max_length=80)
    version: int = Field(default=1, ge=1)
    charges: bool = True
    """Whether invoices are charged without the customer; false for transfers."""
    retry_days: tuple[int, ...]
    """At most four, increasing. The first has no mail of its own: the one of day 0 is fresh. A direct debit is repeated
    once where any is named, on a day that follows from its failure (`billing.debits`)."""
    reminder_days: tuple[int, ...] = ()
    """Days with a mail and no charge. For transfers, where no retry brings a mail."""
    quiet_days: int = 0
    """Days after the first decline before the first mail, as long as automatic retries may still bring the money
    of a card. 0 writes at once."""
    last_notice_day: int
    """On or after the last retry; the mail names amount, deadline and consequence."""
    end_day: int
    minimum_notice_days: int = 7
    """The least time between last notice and end."""
    end_for_subscription: EndForSubscription = EndForSubscription.SUSPEND
    end_for_invoice: EndForInvoice = EndForInvoice.LEAVE_OPEN
    after_cancel: AfterCancel = AfterCancel.ASK
    repeat_after_hours: int = 2
    """Wait before the one repeat of a technical decline (rules 23)."""
    tolerance_days: int = 10
    """For transfers: days overdue before the subscription is past_due (rules 22)."""
    hour: int = 9
    """The full hour at which every step is made, in the customer's zone."""
    good_days: bool = True
    """After insufficient funds, a retry waits for a day of the month on which this payer's charges went through after
    a decline before (`billing.timing`)."""
    paydays: tuple[int, ...] = ()
    """Days of the month on which payers are paid, for those with no good days of their own; 31 is the last day. French
    salaries come at the month's end: (28, 31). Empty: no retry waits for them."""
    payday_within_days: int = 5
    """How long a retry waits for a payday at most."""
    avoid_sundays: bool = False
    avoid_public_holidays: bool = False
    """Of the customer's country, where it is in `billing/public_holidays.json`."""

    @property
    def title(self) -> str:
        """Name and version for people: `monthly v1`."""
        return f"{self.name} v{self.version}"

    @property
    def notice_days(self) -> int:
        """The distance that the end keeps from the last notice, in days."""
        return self.end_day - self.last_notice_day

    @property
    def mail_days(self) -> tuple[int, ...]:
        """Days after day 0 on which the customer hears from us, the last notice included, the end not."""
        return tuple(sorted({*self.retry_days[1:], *self.reminder_days, self.last_notice_day}))

    @property
    def step_days(self) -> tuple[int, ...]:
        """Every day on which something may be done, from day 0 to the last notice."""
        return tuple(sorted({0, *self.retry_days, *self.mail_days}))

    @property
    def most_retries(self) -> int:
        """Automatic tries that may follow the first charge; none where no day is named."""
        return self.retries_allowed if self.charges and self.retry_days else 0

    def past_due_on(self, day0: date) -> date:
        """The first day on which an unpaid invoice makes the subscription past_due (rules 22).

        For a transfer day 0 is the due date, and being late is tolerated for a while.
        """
        return day0 if self.charges else day0 + timedelta(days=self.tolerance_days + 1)

    @model_validator(mode="after")
    def _is_consistent(self) -> DunningPolicy:
        _check_days("retry_days", self.retry_days)
        _check_days("reminder_days", self.reminder_days)
        for field, wrong, message in self._contradictions():
            if wrong:
                raise InvalidInput(f"Dunning policy {self.name}: {message}", field=field)
        return self

    def _contradictions(self) -> tuple[tuple[str, bool, str], ...]:
        last_step = max((0, *self.retry_days, *self.reminder_days))
        return (
            (
                "retry_days",
                len(self.retry_days) > self.retries_allowed,
                f"retry_days names {len(self.retry_days)} days. Name at most {self.retries_allowed}.",
            ),
            (
                "retry_days",
                bool(self.retry_days) and not self.charges,
                "retry_days names days, but the policy does not charge. Leave them out or set charges.",
            ),
            (
                "last_notice_day",
                self.last_notice_day < last_step,
                (
                    f"last_notice_day is {self.last_notice_day}, before the last retry or reminder on day "
                    f"{last_step}. Set it to {last_step} or later."
                ),
            ),
            (
                "last_notice_day",
                self.last_notice_day < 1,
                f"last_notice_day is {self.last_notice_day}, and the mail of day 0 must come first. Give 1 or more.",
            ),
            (
                "reminder_days",
                not self.charges and min(self.reminder_days, default=MOST_DAYS) >= self.last_notice_day,
                (
                    f"the last notice on day {self.last_notice_day} would be the first mail. Name a reminder before "
                    "it."
                ),
            ),
            (
                "quiet_days",
                self.quiet_days < 0,
                f"quiet_days is {self.quiet_days}. Give 0 or more.",
            ),
            (
                "quiet_days",
                self.quiet_days > 0 and not self.charges,
                "quiet_days waits for retries, but the policy does not charge. Leave it out or set charges.",
            ),
            (
                "quiet_days",
                self.quiet_days > 0 and self.quiet_days >= self.last_notice_day,
                (
                    f"quiet_days is {self.quiet_days}, and the last notice on day {self.last_notice_day} must not be "
                    f"the first mail. Give less than {self.last_notice_day}."
                ),
            ),
            (
                "minimum_notice_days",
                self.minimum_notice_days < SHORTEST_NOTICE_DAYS,
                f"minimum_notice_days is {self.minimum_notice_days}. Give at least {SHORTEST_NOTICE_DAYS}.",
            ),
            (
                "end_day",
                self.notice_days < self.minimum_notice_days,
                (
                    f"end_day is {self.end_day}, {self.notice_days} days after the last notice. Set it to "
                    f"{self.last_notice_day + self.minimum_notice_days} or later, so that "
                    f"{self.minimum_notice_days} days lie between."
                ),
            ),
            ("end_day", self.end_day > MOST_DAYS, f"end_day is {self.end_day}. Give at most {MOST_DAYS}."),
            (
                "end_for_invoice",
                self.end_for_subscription is EndForSubscription.SUSPEND
                and self.end_for_invoice is EndForInvoice.UNCOLLECTIBLE,
                (
                    "a suspended subscription waits for the payment of an invoice that is then no longer asked for. "
                    f"Set end_for_invoice to {EndForInvoice.LEAVE_OPEN} or {EndForInvoice.CREDIT}."
                ),
            ),
            (
                "repeat_after_hours",
                not 1 <= self.repeat_after_hours <= 24,  # noqa: PLR2004
                f"repeat_after_hours is {self.repeat_after_hours}. Give 1 to 24.",
            ),
            (
                "tolerance_days",
                not 0 <= self.tolerance_days <= MOST_DAYS,
                f"tolerance_days is {self.tolerance_days}. Give 0 to {MOST_DAYS}.",
            ),
            (
                "paydays",
                any(not 1 <= day <= LAST_DAY_OF_MONTH for day in self.paydays),
                f"paydays names days of the month: {self.paydays}. Give 1 to {LAST_DAY_OF_MONTH}.",
            ),
            (
                "payday_within_days",
                not 1 <= self.payday_within_days <= MOST_DAYS,
                (
                    f"payday_within_days is {self.payday_within_days}. Give 1 to {MOST_DAYS}, or leave paydays "
                    "empty."
                ),
            ),
            ("hour", not 0 <= self.hour <= 23, f"hour is {self.hour}. Give 0 to 23."),  # noqa: PLR2004
        )


def _check_days(field: str, days: tuple[int, ...]) -> None:
    if any(day < 1 for day in days):
        raise InvalidInput(f"{field} counts from the day after day 0. Give days of 1 or later.", field=field)
    if any(later <= earlier for earlier, later in pairwise(days)):
        raise InvalidInput(f"{field} must increase: {days}. Put the days in order, each once.", field=field)


MONTHLY: Final = DunningPolicy(name="monthly", retry_days=(1, 3, 7, 14), last_notice_day=14, end_day=21)
"""For periods of 15 days and longer: the default."""

ANNUAL: Final = DunningPolicy(name="annual", retry_days=(3, 7, 14, 28), last_notice_day=28, end_day=45)

SHORT: Final = DunningPolicy(
    name="short", retry_days=(1, 2, 3), last_notice_day=3, end_day=6, minimum_notice_days=3
)
"""For periods under 15 days."""

FIRST_PAYMENT: Final = DunningPolicy(
    name="first_payment",
    retry_days=(1, 3),
    last_notice_day=3,
    end_day=7,
    minimum_notice_days=3,
    end_for_subscription=EndForSubscription.CANCEL,
    end_for_invoice=EndForInvoice.CREDIT,
)
"""After a trial or a scheduled start; reported apart from renewals."""

TRANSFER: Final = DunningPolicy(
    name="transfer",
    charges=False,
    retry_days=(),
    reminder_days=(3, 15, 30),
    last_notice_day=30,
    end_day=45,
)
"""For invoices that the customer pays by transfer: reminders from the due date, nothing is charged."""

SEPA: Final = DunningPolicy(name="sepa", retry_days=(7,), last_notice_day=20, end_day=27)
"""For direct debits, whose outcome takes days: the last notice comes when both are answered, a late answer moves it."""

SEPA_ANNUAL: Final = DunningPolicy(name="sepa_annual", retry_days=(7,), last_notice_day=28, end_day=45)

SEPA_FIRST_PAYMENT: Final = DunningPolicy(
    name="sepa_first_payment",
    retry_days=(7,),
    last_notice_day=20,
    end_day=24,
    minimum_notice_days=3,
    end_for_subscription=EndForSubscription.CANCEL,
    end_for_invoice=EndForInvoice.CREDIT,
)
"""First payments by direct debit: the one repeat instead of a card's retries (U4)."""

GATED: Final = DunningPolicy(
    name="gated",
    version=2,
    retry_days=(),
    last_notice_day=1,
    end_day=4,
    minimum_notice_days=3,
    end_for_subscription=EndForSubscription.KEEP,
)
"""For gated drafts: no retry, no mail but the link. Not its days but the draft's deadline ends it, and the
draft is dropped (rules 13, engine 5)."""

DEFAULT_POLICIES: Final = {
    policy.name: policy
    for policy in (
        MONTHLY,
        ANNUAL,
        SHORT,
        FIRST_PAYMENT,
        SEPA,
        SEPA_ANNUAL,
        SEPA_FIRST_PAYMENT,
        TRANSFER,
        GATED,
    )
}
"""By name. The terms of a subscription may name another than the one that its interval gives."""


def default_policy(
    interval: Interval,
    *,
    is_first_payment: bool = False,
    by_transfer: bool = False,
    by_direct_debit: bool = False,
) -> DunningPolicy:
    """The policy of an invoice whose terms name none (rules 24).

    Args:
        interval: the subscription's; short below 15 days, annual from a year on.
        is_first_payment: the first charge after a trial or of a scheduled start.
        by_transfer: the customer pays by transfer, which is never charged.
        by_direct_debit: the customer's account is debited, which takes days to be answered.
    """
    if by_transfer:
        return TRANSFER
    if by_direct_debit:
        if is_first_payment:
            return SEPA_FIRST_PAYMENT
        return SEPA_ANNUAL if interval.is_a_year_or_longer else SEPA
    if is_first_payment:
        return FIRST_PAYMENT
    if interval.is_under_fifteen_days:
        return SHORT
    return ANNUAL if interval.is_a_year_or_longer else MONTHLY
