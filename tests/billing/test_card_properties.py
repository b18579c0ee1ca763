"""Several chases that are charged to one card, in any order and with any answers: no cap is ever broken."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import pairwise

from chase_walk import CLASS_OF, Walk, answered, automatic_attempts
from hypothesis import given, settings
from hypothesis import strategies as st
from typing_extensions import override

from billing.asking import may_ask
from billing.calendar import local_date
from billing.case import Attempt, Case
from billing.chase import NextStep, StepKind, next_step
from billing.dunning import ANNUAL, FIRST_PAYMENT, MONTHLY, SHORT, DunningPolicy
from billing.payment import AttemptState, Trigger

PARIS = "Europe/Paris"
BEGINS = date(2027, 2, 20)
HOURS = {"wait 1": 1, "wait 96": 96}
ANSWERS = [*CLASS_OF, "authentication_required", "unknown", *HOURS, "never again", "paid"]
PICKY = MONTHLY.model_copy(update={"paydays": (28, 31), "avoid_sundays": True, "avoid_public_holidays": True})
POLICIES = [MONTHLY, ANNUAL, SHORT, FIRST_PAYMENT, PICKY]
PERSONS = [Trigger.CUSTOMER, Trigger.SUPPORT]
MOST_STEPS = 300


def chase(name: int, day0: date, policy: DunningPolicy) -> Case:
    """The chase of an invoice of a subscription of its own, before its first charge."""
    return Case(
        invoice_id=f"inv_{name}",
        due_minor=4900,
        policy=policy,
        day0=day0,
        timezone=PARIS,
        method="pm_1",
        country="FR",
        good_days=(date(2027, 1, 5), date(2026, 12, 31)),
    )


def bank(attempt: Attempt, answer: str) -> Attempt:
    """What a network says beside its decline."""
    if answer in HOURS:
        return attempt.model_copy(update={"not_before": attempt.begun_at + timedelta(hours=HOURS[answer])})
    return attempt.model_copy(update={"never_again": answer == "never again"})


class OnCard(Walk):
    """One of the chases; `table` is all of them."""

    def __init__(self, case: Case, now: datetime, table: Table) -> None:
        super().__init__(case, now)
        self.table = table

    @override
    def charge(self, step: NextStep, when: str) -> None:
        assert step.trigger is not None
        answer = self.table.data.draw(st.sampled_from(ANSWERS))
        said = "do_not_honor" if answer in HOURS or answer == "never again" else answer
        number = len(self.case.attempts) + 1
        attempt = bank(answered(number, step.trigger, self.now, said, "pm_1"), answer)
        self.table.check(attempt)
        self.record(attempt)
        self.case = self.case.model_copy(update={"asked": (), "is_open": answer != "paid"})

    @override
    def look(self, step: NextStep, when: str) -> None:
        live = self.case.live_attempt
        assert live is not None
        if live.state is AttemptState.UNKNOWN:
            self.settle_as_declined(live)
            return
        super().look(step, when)

    def settle_as_declined(self, live: Attempt) -> None:
        ended = answered(live.number, live.trigger, live.begun_at, "do_not_honor", "pm_1")
        self.record(ended.model_copy(update={"settled_at": self.now}))


class Table:
    """A customer with several subscriptions and one card, and what has become of it."""

    def __init__(self, data: st.DataObject) -> None:
        self.data = data
        days = sorted(data.draw(st.lists(st.integers(0, 40), min_size=2, max_size=5)))
        starts = [BEGINS + timedelta(days=n) for n in days]
        cases = [chase(n, on, data.draw(st.sampled_from(POLICIES))) for n, on in enumerate(starts)]
        self.walks = [OnCard(case, case.morning(case.day0), self) for case in cases]

    def tries(self) -> list[Attempt]:
        """Everything that was sent to the bank, oldest first."""
        every = [a for walk in self.walks for a in walk.case.attempts]
        return sorted(every, key=lambda a: a.begun_at)

    def seen_by(self, walk: OnCard) -> Case:
        """The case as the books would read it now."""
        others = [w for w in self.walks if w is not walk]
        forbidden = [a.begun_at for a in self.tries() if a.never_again]
        paid = [a.begun_at for a in self.tries() if a.state is AttemptState.SUCCEEDED]
        return walk.case.model_copy(
            update={
                "elsewhere": tuple(a for other in others for a in other.case.attempts if counts(a)),
                "turn": sum(
                    w.case.is_open and not w.case.ended for w in self.walks[: self.walks.index(walk)]
                ),
                "method_stopped": any(a.decline_code == "stolen_card" for a in self.tries()),
                "repeats_forbidden": bool(forbidden) and max(paid, default=min(forbidden)) <= max(forbidden),
            }
        )

    def live(self) -> None:
        """To the end of them all."""
        for _ in range(MOST_STEPS):
            for walk in self.walks:
                walk.case = self.seen_by(walk)
            coming = [(max(step.due, w.now), n, step) for n, w, step in self.steps() if step.due is not None]
            if not coming:
                return
            due, n, step = min(coming, key=lambda one: one[:2])
            late = self.data.draw(st.sampled_from([0, 0, 0, 7, 60 * 45]))
            for walk in self.walks:
                walk.now = max(walk.now, due + timedelta(seconds=late))
            # As a workflow does that waited for this step: the rows may have changed since it looked.
            walk = self.walks[n]
            again = next_step(walk.case, walk.now)
            if again.kind is step.kind:
                walk.take(again)
            self.happen()
        raise AssertionError("the chases do not come to an end")

    def steps(self) -> list[tuple[int, OnCard, NextStep]]:
        return [(n, walk, next_step(walk.case, walk.now)) for n, walk in enumerate(self.walks)]

    def happen(self) -> None:
        """Now and then a person asks for a charge."""
        if self.data.draw(st.integers(0, 5)):
            return
        walk = self.data.draw(st.sampled_from(self.walks))
        who = self.data.draw(st.sampled_from(PERSONS))
        if may_ask(self.seen_by(walk), who, walk.now) is None:
            walk.case = walk.case.model_copy(update={"asked": (who,)})

    def check(self, attempt: Attempt) -> None:
        """Whether the bank may be sent this one, looked at without any function of ours."""
        before = [a for a in self.tries() if counts(a)]
        month = [a for a in before if a.begun_at > attempt.begun_at - timedelta(days=30)]
        assert len(month) < 10
        assert not any(a.decline_code == "stolen_card" for a in before)
        if not attempt.trigger.is_automatic or attempt.trigger is Trigger.FIRST:
            return
        last_ban = max((a.begun_at for a in before if a.never_again), default=None)
        successes = [a.begun_at for a in self.tries() if a.state is AttemptState.SUCCEEDED]
        assert last_ban is None or max(successes, default=last_ban) > last_ban
        for earlier in before:
            if earlier.not_before is not None:
                assert attempt.begun_at >= earlier.not_before
            elif earlier.trigger.is_automatic and earlier.trigger is not Trigger.FIRST:
                assert local_date(attempt.begun_at, PARIS) > local_date(earlier.begun_at, PARIS)
                assert attempt.begun_at - earlier.begun_at >= timedelta(hours=22)


def counts(attempt: Attempt) -> bool:
    """A decline, or what may turn out to be one."""
    asked = attempt.decline_code == "authentication_required"
    return asked or attempt.state in (AttemptState.DECLINED, AttemptState.UNKNOWN)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_interleaving_of_invoices_on_one_card_breaks_a_cap(data: st.DataObject) -> None:
    table = Table(data)
    table.live()
    for walk in table.walks:
        assert automatic_attempts(walk.case) <= 5
        ended = [(when, step) for when, step in walk.steps if step.kind is StepKind.END]
        assert len(ended) <= 1
        charges = [local_date(when, PARIS) for when, step in walk.steps if is_retry(step)]
        assert all(later > earlier for earlier, later in pairwise(charges))
        assert all(day <= local_date(when, PARIS) for day in charges for when, _ in ended)


def is_retry(step: NextStep) -> bool:
    return step.kind is StepKind.CHARGE and step.trigger in (Trigger.RETRY, Trigger.PROMISE)


def test_four_invoices_on_one_empty_card_are_tried_again_once_a_day_oldest_first() -> None:
    """Declined on the same day, of four subscriptions of one customer. The tenth decline within 30 days is the last."""
    walks = [Walk(first_failed(n), datetime.fromisoformat("2027-03-01T09:00+00:00")) for n in range(4)]
    diary = []
    while True:
        for n, walk in enumerate(walks):
            others = tuple(a for w in walks if w is not walk for a in w.case.attempts)
            walk.case = walk.case.model_copy(update={"elsewhere": others, "turn": n})
        coming = [(s.due, n, s) for n, w in enumerate(walks) if (s := next_step(w.case, w.now)).due]
        due, n, step = min(coming, key=lambda one: (one[0], one[1]))
        assert due is not None
        if due.date() > date(2027, 3, 10):
            break
        for walk in walks:
            walk.now = max(walk.now, due)
        if step.kind is StepKind.CHARGE:
            diary.append(f"{due:%m-%d %H:%M} inv_{n}")
            walks[n].answers = ["insufficient_funds"]
        walks[n].take(step)
    assert diary == [
        "03-02 08:00 inv_0",
        "03-03 08:01 inv_1",
        # The third day is that of their second retry: the oldest goes first again.
        "03-04 08:00 inv_0",
        "03-05 08:01 inv_1",
        "03-06 08:02 inv_2",
        "03-07 08:03 inv_3",
    ]
    # The first four are 30 days old on 31 March at 10:30 in Paris, after that day's morning.
    assert next_step(walks[0].case, walks[0].now).why.sentence() == (
        "insufficient funds; last notice on 15 March 2027 (day 14 of policy monthly v1); "
        "not charged before 1 April 2027: 10 charges of the card were declined within 30 days"
    )


def first_failed(number: int) -> Case:
    case = chase(number, date(2027, 3, 1), MONTHLY).model_copy(update={"good_days": ()})
    failed = answered(
        1, Trigger.FIRST, datetime.fromisoformat("2027-03-01T08:30+00:00"), "insufficient_funds"
    )
    return case.model_copy(update={"attempts": (failed,), "done_through_day": 0})
