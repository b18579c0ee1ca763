from __future__ import annotations

from datetime import datetime, timedelta

from chase_walk import CLASS_OF, Walk, answered, at, automatic_attempts, driving, ten_declines
from hypothesis import given, settings
from hypothesis import strategies as st
from typing_extensions import override

from billing.asking import may_ask
from billing.calendar import local_date
from billing.chase import Mail, NextStep, StepKind, next_step
from billing.dunning import ANNUAL, FIRST_PAYMENT, MONTHLY, SHORT
from billing.payment import AttemptState, Trigger
from billing.progress import take_over, timeline

ANSWERS = [*CLASS_OF, "processing", "unknown", "authentication_required"]
ZONES = ["Europe/Paris", "America/New_York", "Pacific/Apia", "Asia/Kolkata", "America/Santiago"]
FIXED_POLICIES = [MONTHLY, ANNUAL, SHORT, FIRST_PAYMENT]
PERSONS = [Trigger.CUSTOMER, Trigger.METHOD_REPLACED, Trigger.SUPPORT]
MOST_STEPS = 400


class Storm(Walk):
    """A walk in which hypothesis answers, and things happen between the steps."""

    def __init__(self, data: st.DataObject) -> None:
        self.data = data
        minutes = data.draw(st.integers(0, 60 * 24 * 400))
        begun = at("2027-01-01") + timedelta(minutes=minutes)
        first = data.draw(st.sampled_from([None, *ANSWERS]))
        case = driving(
            first,
            begun_at=f"{begun:%Y-%m-%dT%H:%M}",
            policy=data.draw(st.sampled_from(FIXED_POLICIES)),
            zone=data.draw(st.sampled_from(ZONES)),
        )
        super().__init__(case, begun)

    def live(self) -> None:
        """To the end, or to a rest that nobody ends."""
        for _ in range(MOST_STEPS):
            if self.data.draw(st.integers(0, 5)) == 0:
                self.happen()
            step = next_step(self.case, self.now)
            self.check(step)
            if step.due is None:
                return
            late = self.data.draw(st.sampled_from([0, 0, 0, 0, 1, 60, 60 * 24 * 3, 60 * 24 * 40]))
            self.now = max(self.now, step.due) + timedelta(minutes=late)
            self.take(next_step(self.case, self.now) if late else step)
        msg = "the chase does not come to an end"
        raise AssertionError(msg)

    def check(self, step: NextStep) -> None:
        known = step.kind in (StepKind.REST, StepKind.CLOSED)
        assert known == (step.due is None)
        assert step.why.sentence()
        assert automatic_attempts(self.case) <= 5

    def happen(self) -> None:
        news = self.data.draw(st.sampled_from(["ask", "promise", "cap", "stop", "join", "method"]))
        update: dict[str, object] = {}
        if news == "ask":
            who = self.data.draw(st.sampled_from(PERSONS))
            update = {"asked": (who,)} if may_ask(self.case, who, self.now) is None else {}
        elif news == "promise" and self.case.promise_on is None:
            ahead = timedelta(days=self.data.draw(st.integers(1, 30)))
            update = {"promise_on": local_date(self.now, self.case.timezone) + ahead}
        elif news == "cap":
            until = self.now + timedelta(hours=self.data.draw(st.integers(1, 300)))
            update = {"elsewhere": ten_declines(f"{until:%Y-%m-%dT%H:%M}")}
        elif news == "stop":
            update = {"stopped": True}
        elif news == "method":
            update = {"method": f"pm_{len(self.case.attempts)}"}
        elif news == "join":
            self.case = take_over(self.case, self.now).of_case(self.case)
        self.case = self.case.model_copy(update=update)

    @override
    def take(self, step: NextStep) -> None:
        if step.kind is StepKind.END:
            assert self.case.live_attempt is None
        super().take(step)

    @override
    def charge(self, step: NextStep, when: str) -> None:
        assert self.case.live_attempt is None
        assert not (self.case.stopped and step.trigger is not None and step.trigger.is_automatic)
        self.answers = [self.data.draw(st.sampled_from([*ANSWERS, *CLASS_OF, "paid"]))]
        super().charge(step, when)

    @override
    def look(self, step: NextStep, when: str) -> None:
        live = self.case.live_attempt
        assert live is not None
        answer = self.data.draw(st.sampled_from([None, *CLASS_OF]))
        if live.state is AttemptState.ACTION_REQUIRED or answer is None:
            super().look(step, when)
            return
        ended = answered(live.number, live.trigger, live.begun_at, answer, live.payment_method_id)
        self.record(ended.model_copy(update={"settled_at": self.now}))


@settings(max_examples=120)
@given(st.data())
def test_whatever_happens_the_chase_keeps_its_limits(data: st.DataObject) -> None:
    storm = Storm(data)
    storm.live()
    times = [when for when, _ in storm.steps]
    assert times == sorted(times)
    mails = [step.key for _, step in storm.steps if step.kind is StepKind.NOTICE]
    assert len(mails) == len(set(mails))
    ends = [when for when, step in storm.steps if step.kind is StepKind.END]
    assert len(ends) <= 1
    for end in ends:
        _check_end(storm, end)


def _check_end(storm: Storm, end: datetime) -> None:
    policy, zone = storm.case.policy, storm.case.timezone
    on = local_date(end, zone)
    noticed = [when for when, step in storm.steps if step.mail is Mail.LAST_NOTICE]
    assert len(noticed) == 1
    assert (on - storm.case.day0).days >= policy.end_day
    assert (on - local_date(noticed[0], zone)).days >= policy.end_day - policy.last_notice_day


@settings(max_examples=60)
@given(st.data())
def test_the_timeline_is_in_order_and_ends(data: st.DataObject) -> None:
    storm = Storm(data)
    ahead = timeline(storm.case, storm.now)
    assert ahead[-1].kind is StepKind.END
    dues = [max(step.due or storm.now, storm.now) for step in ahead]
    assert dues == sorted(dues)
    charges = [s for s in ahead if s.kind is StepKind.CHARGE]
    assert len(charges) + automatic_attempts(storm.case) <= 5
