"""A chase while the payer disputes another payment with the same card: no charge on it, the mails go on (U17)."""

from __future__ import annotations

from chase_walk import Walk, answered, at, driving

from billing.asking import Refused, may_ask
from billing.chase import StepKind, next_step
from billing.payment import AttemptState, DeclineClass, Trigger

HELD = {"method": None, "method_disputed": True}


def test_nothing_is_charged_and_support_reads_why() -> None:
    walk = Walk(driving("insufficient_funds"), "2027-02-01T00:30", [])
    walk.until("2027-02-01T12:00")
    walk.case = walk.case.model_copy(update=HELD)
    assert walk.until("2027-02-25") == [
        "02-01 00:30 mail payment_failed",
        "02-04 08:00 mail reminder:3",
        "02-08 08:00 mail reminder:7",
        "02-15 08:00 mail last_notice",
        "02-22 08:00 end: suspend, leave_open",
    ]
    reminder = walk.steps[1][1]
    assert reminder.why.sentence() == (
        "insufficient funds; reminder on 4 February 2027 (day 3 of policy monthly v1); "
        "not charged: a dispute about the card is open"
    )


def test_the_customer_is_asked_for_a_method_and_not_told_of_the_dispute() -> None:
    case = driving("insufficient_funds").model_copy(update=HELD)
    refused = may_ask(case, Trigger.CUSTOMER, at("2027-02-01T12:00"))
    assert refused is not None
    assert (refused.reason, refused.message) == (
        Refused.NO_METHOD,
        "There is no usable payment method. Add one first.",
    )


def test_won_one_charge_stands_for_the_days_that_were_missed() -> None:
    walk = Walk(driving("insufficient_funds"), "2027-02-01T00:30", ["paid"])
    walk.case = walk.case.model_copy(update=HELD)
    walk.change("2027-02-06T12:00", method="pm_1", method_disputed=False)
    assert walk.until("2027-02-28") == [
        "02-01 00:30 mail payment_failed",
        "02-04 08:00 mail reminder:3",
        "02-06 12:00 retry: paid",
    ]


def test_what_was_queued_is_dropped_and_the_customer_hears_that_nothing_was_charged() -> None:
    """The bank spoke between the issue and the charge: the attempt never reaches it."""
    queued = answered(1, Trigger.FIRST, at("2027-02-01T00:30"), "unknown").model_copy(
        update={"state": AttemptState.QUEUED}
    )
    case = driving("unknown").model_copy(update={"attempts": (queued,), **HELD})
    step = next_step(case, at("2027-02-01T00:45"))
    assert (step.kind, step.why.because, step.due) == (
        StepKind.SETTLE,
        "never_sent",
        at("2027-02-01T00:45"),
    )
    closed = {
        "state": AttemptState.ABANDONED,
        "settled_at": at("2027-02-01T00:46"),
        "decline_class": DeclineClass.RETRY,
    }
    dropped = case.model_copy(update={"attempts": (queued.model_copy(update=closed),)})
    walk = Walk(dropped, "2027-02-01T00:46", [])
    assert walk.until("2027-02-05") == ["02-01 00:46 mail payment_failed", "02-04 08:00 mail reminder:3"]
