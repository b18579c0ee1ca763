"""The values that cross between workflows and activities. Ids and outcome classes only, no personal data."""

from __future__ import annotations

from datetime import datetime

from billing.asking import Refusal
from billing.case import Role
from billing.chase import NextStep
from billing.commands import Command
from billing.payment import Trigger
from billing.steering import Directive
from billing.subscription import Subscription
from billing.values import Value


class CaseReport(Value):
    """The chase of an invoice after a step, and what comes next."""

    invoice_id: str
    subscription_id: str
    step: NextStep
    next_number: int
    """The number that the next attempt would have."""
    role: Role
    amount_minor: int
    currency: str
    attempts: int
    last_decline: str = ""
    payment_state: str = "none"
    no_asking: Refusal | None = None
    """Why a person may not have it charged now."""
    closed: bool = False
    subscription_version: int = 0
    """Counts the changes of the subscription: the collection tells its workflow when this has grown."""
    wake: tuple[str, ...] = ()
    """Other invoices whose collections have something to do now."""


class Wish(Value):
    """A person asks that what is open be charged now; unique by its command id."""

    trigger: Trigger
    command_id: str
    as_of: datetime | None = None
    by: str = ""
    present: bool = False
    """The payer waits at a browser, where their bank can ask them to confirm."""


class CollectionRun(Value):
    """What a collection's workflow begins with."""

    invoice_id: str
    subscription_id: str
    now: datetime | None = None
    clock_id: str | None = None
    payments_queue: str = "relance-payments"
    as_of: datetime | None = None
    """The business instant of the hand-over."""
    inbox: tuple[Wish, ...] = ()
    """Wishes that were taken down and not yet carried to the books."""
    directives: tuple[Directive, ...] = ()
    """What persons decided from the UI and was not yet carried to the books."""
    payment_moved: bool = False
    """Whether there is news of the payment that was not yet looked at."""
    case: CaseReport | None = None
    """The chase as it was handed over; None reads it from the rows first."""


class ChargeOrder(Value):
    """Make one payment attempt on one invoice."""

    invoice_id: str
    number: int
    """The attempt's number within the invoice."""
    trigger: Trigger
    as_of: datetime | None = None
    """The business instant; set by the workflow that asks."""
    only_look: bool = False
    """When settling: there is news of the payment, so one that waits for the payer is looked at, not closed."""
    hand_over: CollectionRun | None = None
    """With what a collection is started where the outcome isn't "paid"; None where one owns the invoice."""


class Duties(Value):
    """What the rows say that the subscription's workflow still has to do."""

    charge: tuple[ChargeOrder, ...] = ()
    collect: tuple[str, ...] = ()
    """Invoices whose collection has to be started."""

    @property
    def none(self) -> bool:
        """Whether nothing is left to do."""
        return not self.charge and not self.collect


class SubscriptionReport(Value):
    """The subscription as its row has it after a step, and what follows."""

    subscription: Subscription
    duties: Duties = Duties()
    refused: str = ""
    """Why a command that had been accepted could not be carried out any more."""
    pass_on_to: str | None = None
    """The invoice whose collection a `retry_now` is meant for."""
    wake: tuple[str, ...] = ()
    """Invoices whose collections have to look at their rows again."""


class ChargeReport(Value):
    """What came of an attempt."""

    outcome: str = ""
    """`paid`, `declined`, `processing`, `action_required`, `unknown`; empty when the gate refused."""
    refused: str = ""
    """Why the gate let nobody through."""
    subscription: SubscriptionReport | None = None
    case: CaseReport | None = None
    """Where a collection owns the invoice."""
    wake: tuple[str, ...] = ()
    """Other invoices whose collections have something to do now."""


class CaseStepOrder(Value):
    """Carry out a step of a chase that needs no provider: a notice or the end."""

    invoice_id: str
    kind: str
    key: str = ""
    as_of: datetime


class StepOrder(Value):
    """Take the step that is due."""

    subscription_id: str
    kind: str
    key: str = ""
    as_of: datetime


class CommandOrder(Value):
    """Carry out a command."""

    subscription_id: str
    command: Command
    as_of: datetime


class LookOrder(Value):
    """Read something afresh."""

    id: str
    as_of: datetime


class ParkOrder(Value):
    """Write down that a workflow cannot go on."""

    subscription_id: str
    reason: str
    remedy: str
    as_of: datetime


class WishOrder(Value):
    """Take down a wish about one invoice."""

    invoice_id: str
    wish: Wish


class SubscriptionRun(Value):
    """What one run of a subscription's workflow begins with."""

    subscription: Subscription
    now: datetime | None = None
    """The test clock's now; None lives by Temporal's own."""
    inbox: tuple[Command, ...] = ()
    """Commands that were accepted and not yet carried out."""
    look_first: bool = False
    """Read the rows before anything else: after a start by the doctor."""
    bad_signals: int = 0
    """How many signals could not be taken, ever."""
    last_bad_signal: str = ""
    payments_queue: str = "relance-payments"


class Accepted(Value):
    """A command was taken and will be carried out."""

    command_id: str
    subscription: Subscription
    """As it will be, as far as is known now."""


class SteerOrder(Value):
    """Carry out what a person decided about a chase."""

    invoice_id: str
    directive: Directive
    as_of: datetime


class SteerReport(Value):
    """The chase after a directive."""

    case: CaseReport
    driver_id: str = ""
    """The invoice whose chase was steered, where it is another one (U18)."""
    refused: str = ""
    """Why nothing was changed."""


class WishAccepted(Value):
    """A charge that a person asked for was taken down and will be tried."""

    command_id: str
    invoice_id: str


class Tick(Value):
    """Where an execution on a test clock stands after a tick (engine 24)."""

    due: datetime | None
    version: int
    leaving: bool


class TickTo(Value):
    """The clock's new now."""

    now: datetime


class PaymentNews(Value):
    """The provider has news of a payment."""

    event_id: str = ""
    now: datetime | None = None
    """The test clock's, for whoever lives on one."""


class PlannedStep(Value):
    """What an execution does next, for people."""

    what: str
    due: datetime | None = None
    why: str = ""


class SubscriptionState(Value):
    """The answer to the `state` query."""

    subscription: Subscription
    next: PlannedStep
    now: datetime
    queued_commands: int = 0
    bad_signals: int = 0
    last_bad_signal: str = ""
    last_refusal: str = ""


class CollectionState(Value):
    """The answer to a collection's `state` query."""

    case: CaseReport | None
    next: PlannedStep
    now: datetime
    bad_signals: int = 0
    last_bad_signal: str = ""


class AdvanceTo(Value):
    """Where a test clock is to be moved."""

    to: datetime


class ClockRun(Value):
    """What a clock's workflow begins with."""

    clock_id: str
    resume: bool = False
    """Whether an advance was asked for while the run before was leaving."""


class AdvanceOrder(Value):
    """Write down where a clock is to go."""

    clock_id: str
    to: datetime
