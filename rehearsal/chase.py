"""One failed payment, chased to its end by the decisions that run in production.

What comes next is asked of `billing.chase.next_step`, as a collection's workflow asks it; the payer is on paper.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from heapq import heappop, heappush
from typing import Final

from billing.asking import may_ask
from billing.case import Case
from billing.chase import NextStep, StepKind, next_step
from billing.dunning import DunningPolicy, EndForSubscription
from billing.payment import Trigger
from rehearsal.books import NOTHING, PAID, UNDER_WAY, answered, carried_out, settled
from rehearsal.payers import TIMEZONE, YEAR, Payer

OWED_MINOR: Final = 4900
METHOD: Final = "method"
NEW_METHOD: Final = "new-method"


@dataclass(frozen=True, slots=True)
class Try:
    """A charge as it was made.

    Attributes:
        trigger: why.
        policy_day: the day of the policy that it stands for; None where a person caused it, or the network.
        begun_at: when it was sent.
        known_at: when its outcome was known.
        answer: `paid`, or a decline code.
        method: what was charged.
    """

    trigger: Trigger
    policy_day: int | None
    begun_at: datetime
    known_at: datetime
    answer: str
    method: str = METHOD

    @property
    def paid(self) -> bool:
        """Whether it brought the money."""
        return self.answer == PAID


@dataclass(slots=True)
class Story:
    """What became of one failed payment.

    Attributes:
        payer: whose it was.
        tries: every charge, the one that failed first included, oldest first.
        mails: instants of all mails of the chase, that of the end included.
        ended_at: when the policy ended, if it came to that.
        service_ended: whether the end took the service away.
    """

    payer: Payer
    tries: list[Try] = field(default_factory=list)
    mails: list[datetime] = field(default_factory=list)
    ended_at: datetime | None = None
    service_ended: bool = False

    @property
    def paying(self) -> Try | None:
        """The charge that brought the money, if one did."""
        return self.tries[-1] if self.tries[-1].paid else None


@dataclass(frozen=True, slots=True)
class Result:
    """The bank's answer to a debit comes in."""

    answer: str


@dataclass(frozen=True, slots=True)
class Comes:
    """Somebody brings a method that works: the customer after a mail, or the network that renews the card."""

    method: str
    trigger: Trigger = Trigger.METHOD_REPLACED


News = Result | Comes


@dataclass(frozen=True, slots=True)
class _UnderWay:
    """A debit that was sent and not yet answered."""

    trigger: Trigger
    policy_day: int | None
    begun_at: datetime


class Moment:
    """A chase at one instant, and what the engine says comes next.

    Asked once for each state: what follows a moment by the same answer is the same moment, so that thousands of payers
    share the decisions and nobody writes them down a second time.
    """

    __slots__ = ("_after", "_step", "case", "now")

    def __init__(self, case: Case, now: datetime) -> None:
        self.case, self.now = case, now
        self._step: NextStep | None = None
        self._after: dict[tuple[datetime, str], Moment] = {}

    @property
    def step(self) -> NextStep:
        """What comes next."""
        if self._step is None:
            self._step = next_step(self.case, self.now)
        return self._step

    @property
    def due(self) -> datetime | None:
        """When it comes; never before now."""
        due = self.step.due
        return None if due is None else max(due, self.now)

    def after_step(self, answer: str) -> Moment:
        """The moment after the step was carried out and, where it asked the bank, answered."""
        at = self.due or self.now
        return self._then(at, answer) or self._keep(at, answer, carried_out(self.case, self.step, at, answer))

    def after_result(self, at: datetime, answer: str) -> Moment:
        """The moment after the bank's answer to the charge under way came in."""
        return self._then(at, answer) or self._keep(at, answer, settled(self.case, at, answer))

    def after_coming(self, at: datetime, news: Comes) -> Moment:
        """The moment after a method that works was brought. Where the engine takes no wish now, nothing happens."""
        case = self.case.model_copy(update={"method": news.method})
        if may_ask(case, news.trigger, at) is not None:
            return self
        return Moment(case.model_copy(update={"asked": (news.trigger,)}), at)

    def _then(self, at: datetime, answer: str) -> Moment | None:
        return self._after.get((at, answer))

    def _keep(self, at: datetime, answer: str, case: Case) -> Moment:
        moment = self._after[at, answer] = Moment(case, at)
        return moment


class Chases:
    """All chases of one policy. Keeps the moments that they have in common."""

    def __init__(self, policy: DunningPolicy) -> None:
        self._blank = Case(
            invoice_id="rehearsed",
            due_minor=OWED_MINOR,
            policy=policy,
            day0=date(YEAR, 1, 1),
            timezone=TIMEZONE,
            done_through_day=0,
            method=METHOD,
        )
        self._openings: dict[tuple[datetime, str], Moment] = {}

    def play(self, payer: Payer) -> Story:
        """Chase one payer to the end."""
        return _Chase(self._opening(payer), payer).to_the_end()

    def _opening(self, payer: Payer) -> Moment:
        """The chase as the first charge hands it over.

        `known` is all that the engine knows of a payer by then: whoever is alike in it shares the decisions. What it is
        to know beside that, such as a payer's good days, is named here and put into the case.
        """
        answer = UNDER_WAY if payer.is_answered_later else payer.code
        known = (payer.failed_at, answer)
        opening = self._openings.get(known)
        if opening is None:
            first = answered(1, Trigger.FIRST, payer.failed_at, answer, METHOD)
            case = self._blank.model_copy(update={"day0": payer.day0, "attempts": (first,)})
            opening = self._openings[known] = Moment(case, payer.failed_at)
        return opening


class _Chase:
    """One chase under way: where it stands, and what is about to come from outside."""

    def __init__(self, opening: Moment, payer: Payer) -> None:
        self.moment, self.payer = opening, payer
        self.policy = opening.case.policy
        self.story = Story(payer)
        self.news: list[tuple[datetime, int, News]] = []
        self.under_way: _UnderWay | None = None
        self.expected = 0

    def to_the_end(self) -> Story:
        self._note(Trigger.FIRST, 0, self.payer.failed_at, self.payer.code)
        if self.payer.renewed_at is not None:
            self._expect(self.payer.renewed_at, Comes(METHOD))
        while not self._is_paid():
            # While a debit is under way the engine only asks how it stands: nothing else can come before its result.
            due = None if self.under_way else self.moment.due
            if self.news and (due is None or self.news[0][0] <= due):
                at, _, news = heappop(self.news)
                self._hear(at, news)
            elif due is not None:
                self._take(self.moment.step, due)
            else:
                break
        return self.story

    def _is_paid(self) -> bool:
        return bool(self.story.tries) and self.story.tries[-1].paid

    def _expect(self, at: datetime, news: News) -> None:
        self.expected += 1
        heappush(self.news, (at, self.expected, news))

    def _hear(self, at: datetime, news: News) -> None:
        if isinstance(news, Comes):
            self.moment = self.moment.after_coming(at, news)
            return
        assert self.under_way is not None  # noqa: S101 - a result is of a charge that was made
        charge, self.under_way = self.under_way, None
        self.story.tries.append(Try(charge.trigger, charge.policy_day, charge.begun_at, at, news.answer))
        if not self._is_paid():
            self.moment = self.moment.after_result(at, news.answer)

    def _take(self, step: NextStep, at: datetime) -> None:
        """Carry out a step: of a charge what the bank says is part of it, all others are our own doing."""
        if step.kind is StepKind.CHARGE:
            self._charge(step, at)
            return
        if step.kind is StepKind.NOTICE:
            self._mail(at)
        elif step.kind is StepKind.END:
            self._end(at)
        self.moment = self.moment.after_step(NOTHING)

    def _charge(self, step: NextStep, at: datetime) -> None:
        trigger = step.trigger or Trigger.RETRY
        if not trigger.is_automatic:
            brought = self.moment.case.method or METHOD
            self.story.tries.append(Try(trigger, None, at, at, PAID, brought))
            return
        answer = PAID if self.payer.pays(len(self.story.tries), at) else self.payer.code
        self._note(trigger, step.policy_day, at, answer)
        if not self._is_paid():
            self.moment = self.moment.after_step(UNDER_WAY if self.payer.is_answered_later else answer)

    def _note(self, trigger: Trigger, day: int | None, at: datetime, answer: str) -> None:
        """Write down a charge; one that is answered later when its result is in."""
        if self.payer.is_answered_later:
            self.under_way = _UnderWay(trigger, day, at)
            self._expect(self.payer.result_at(len(self.story.tries), at), Result(answer))
        else:
            self.story.tries.append(Try(trigger, day, at, at, answer))

    def _mail(self, at: datetime) -> None:
        mails = self.story.mails
        comes_at = self.payer.acts_on(len(mails), at, at - mails[-1] if mails else None)
        mails.append(at)
        if comes_at is not None:
            self._expect(comes_at, Comes(NEW_METHOD))

    def _end(self, at: datetime) -> None:
        """The policy ends. Its mail moves nobody in the model: no figure is published for it."""
        self.story.ended_at = at
        self.story.service_ended = self.policy.end_for_subscription is not EndForSubscription.KEEP
        self.story.mails.append(at)
