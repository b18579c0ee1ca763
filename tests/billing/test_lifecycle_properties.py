"""Any sequence of commands and boundaries: periods tile, and an end is an end (I3)."""

from __future__ import annotations

from datetime import UTC, date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from support.subscriptions import (
    NOW,
    TEAM,
    YEAR,
    a_subscription,
    books,
)

from billing import lifecycle
from billing.commands import (
    Cancel,
    ChangePlan,
    ChangeQuantity,
    Command,
    KeepSubscription,
    Pause,
    Resume,
    When,
)
from billing.decide import accept
from billing.effects import CreditUnused, Issue, Transition
from billing.errors import RelanceError
from billing.standing import settle
from billing.steps import Step, StepKind, next_step

ASKED: list[Command] = [
    Cancel(command_id="c"),
    Cancel(command_id="c", on=date(2041, 8, 15)),
    Cancel(command_id="c", when=When.NOW),
    KeepSubscription(command_id="c"),
    Pause(command_id="c"),
    Pause(command_id="c", when=When.NOW),
    Pause(command_id="c", when=When.NOW, credit=True),
    Resume(command_id="c"),
    ChangeQuantity(command_id="c", quantity=3),
    ChangePlan(command_id="c", plan_id="plan_year", terms=YEAR),
    ChangePlan(command_id="c", plan_id="plan_team", terms=TEAM),
]


class Walk:
    """A life in which every invoice is paid at once: what was billed, and what was given back."""

    def __init__(self) -> None:
        self.now = NOW
        self.sub = a_subscription()
        self.billed = [(date(2041, 6, 1), date(2041, 7, 1))]

    def ask(self, command: Command) -> None:
        was_over = self.sub.is_over
        try:
            transition = accept(self.sub, command, self.now)
        except RelanceError:
            return
        assert not was_over
        self._adopt(transition)

    def wait(self, days: int) -> None:
        """Live on, taking every step that falls due."""
        until = self.now + timedelta(days=days)
        while (due := (step := next_step(self.sub, self.now)).due) is not None and due <= until:
            self.now = max(self.now, due)
            self._adopt(self._take(step))
        self.now = until

    def _take(self, step: Step) -> Transition:
        match step.kind:
            case StepKind.BOUNDARY:
                return lifecycle.cross_boundary(self.sub, self.now, catch_up_limit=2)
            case StepKind.END_ACCESS:
                return lifecycle.end_access(self.sub, self.now)
            case _:
                return lifecycle.mark_notified(self.sub, step)

    def _adopt(self, transition: Transition) -> None:
        for effect in transition.effects:
            if isinstance(effect, Issue):
                self.billed.append((effect.period.start, effect.period.end))
        for credit in (e for e in transition.effects if isinstance(e, CreditUnused)):
            self.billed = [
                (start, min(end, max(start, credit.from_day)))
                for start, end in self.billed
                if start < credit.from_day
            ]
        covered = max((end for _, end in self.billed), default=None)
        standing = books(covered_until=covered)
        self.sub = settle(transition.after, standing, self.now).after


@settings(max_examples=120)
@given(st.lists(st.tuples(st.sampled_from(ASKED), st.integers(0, 40)), max_size=12))
def test_i3_whatever_is_asked_no_day_is_billed_twice_and_none_is_missed(
    life: list[tuple[Command, int]],
) -> None:
    walk = Walk()
    for command, days in life:
        before = walk.sub
        walk.ask(command)
        walk.wait(days)
        sub = walk.sub
        assert not before.is_over or sub == before
        if sub.status.bills:
            today = walk.now.astimezone(UTC).date()
            assert any(start <= today < end for start, end in walk.billed)
            assert sub.cancel_on is None or all(start < sub.cancel_on for start, _ in walk.billed)
        assert not (sub.cancel_at_end and sub.pause_at_end)
        assert sub.entitled_at(walk.now) == (
            sub.access_until(walk.now, window=timedelta(0), grace=timedelta(hours=24)) is not None
        )
    assert all(earlier[1] <= later[0] for earlier, later in zip(walk.billed, walk.billed[1:], strict=False))
