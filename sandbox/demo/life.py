"""Living the demo: the clock stops wherever somebody acts, they act, and it goes on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from billing.errors import RelanceError
from billing.mandates import Consent
from sandbox.demo import people
from sandbox.demo.fakes import Fakes
from sandbox.demo.people import Cast, Event, Person
from sandbox.demo.telling import Telling
from starter.client import RelanceClient
from starter.diary import FactKind
from starter.mandates import MandateGiven
from starter.orders import NewCustomer, NewSubscription

AFTERNOON: Final = time(15)
"""When people act, where they live."""


@dataclass
class Customer:
    """A person of the cast, once they are a customer."""

    person: Person
    customer_id: str
    subscription_id: str
    acted_at: datetime
    """When they last did something; only mails after that move them."""
    events_done: int = 0
    cards: int = 1

    @property
    def next_event(self) -> Event | None:
        """What they do next."""
        return self.person.event[self.events_done] if self.events_done < len(self.person.event) else None


class Life:
    """Everybody of the cast, on one test clock."""

    def __init__(
        self, cast: Cast, relance: RelanceClient, fakes: Fakes, telling: Telling, *, clock_id: str
    ) -> None:
        self.customers: list[Customer] = []
        self._cast = cast
        self._waiting = sorted(cast.customer, key=_sign_up_at)
        self._relance = relance
        self._fakes = fakes
        self._telling = telling
        self._clock_id = clock_id

    async def live(self) -> None:
        """Lives to the end of the last day, with everything that people do on the way."""
        now, end = begins_at(self._cast), ends_at(self._cast)
        while True:
            await self._act(now)
            if now >= end:
                return
            now = await self._relance.advance_clock(
                self._clock_id, min(await self._next_stop(now), end), progress=self._telling.moved
            )

    async def _act(self, now: datetime) -> None:
        while self._waiting and _sign_up_at(self._waiting[0]) <= now:
            await self._sign_up(self._waiting.pop(0), now)
        for customer in self.customers:
            while (due := await self._due_at(customer)) is not None and due <= now:
                await self._do(customer, now)

    async def _next_stop(self, now: datetime) -> datetime:
        """The next instant at which anybody may act."""
        stops = [_sign_up_at(person) for person in self._waiting[:1]]
        stops += [
            await self._due_at(customer) or await self._next_change(customer, now)
            for customer in self.customers
            if customer.next_event is not None
        ]
        return min(stops, default=ends_at(self._cast))

    async def _due_at(self, customer: Customer) -> datetime | None:
        """When somebody does their next thing; None for never, or while the mail that makes them has not come."""
        event = customer.next_event
        if event is None:
            return None
        zone = customer.person.timezone
        if event.on is not None:
            return afternoon(event.on, zone)
        for fact in await self._relance.diary(customer.subscription_id):
            is_it = fact.kind is FactKind.MAIL and fact.sentence == f"mail {event.after_mail}"
            if is_it and fact.at >= customer.acted_at:
                return max(fact.at, afternoon(fact.on + timedelta(days=event.days_later), zone))
        return None

    async def _next_change(self, customer: Customer, now: datetime) -> datetime:
        """The next instant at which a mail may go to somebody who waits for one."""
        ahead = (await self._relance.show(customer.subscription_id)).ahead
        return min((step.at for step in ahead if step.at and step.at > now), default=ends_at(self._cast))

    async def _sign_up(self, person: Person, now: datetime) -> None:
        customer = await self._relance.create_customer(
            NewCustomer.model_validate(
                {
                    "id": f"cus_{person.reference}",
                    "reference": person.reference,
                    "name": person.name,
                    "kind": person.kind,
                    "address": person.address,
                    "vat_number": person.vat_number,
                    "siren": person.siren,
                    "locale": person.language,
                    "timezone": person.timezone,
                    "contacts": [{"email": f"{person.reference}@example.com", "name": person.name}],
                    "clock": self._clock_id,
                }
            )
        )
        if person.account is not None:
            token = await self._fakes.new_account(person.reference, person.account)
            mandate = MandateGiven(consent=Consent(accepted_at=now), text_version="demo")
            await self._relance.set_payment_method(customer.id, token, mandate=mandate)
        elif person.card is not None:
            token = await self._fakes.new_card(person.reference, person.card)
            await self._relance.set_payment_method(customer.id, token)
        started = await self._relance.start_subscription(
            NewSubscription(
                id=f"sub_{person.reference}",
                reference=person.reference,
                customer=customer.id,
                plan=person.plan,
                quantity=person.quantity,
                trial_days=person.trial_days,
            )
        )
        self.customers.append(Customer(person, customer.id, started.subscription_id, now))
        self._telling.introduce(started.subscription_id, person)
        self._telling.say(now, started.subscription_id, f"signs up for {person.plan}")
        await self._relance.wait_for_first_payment(started.subscription_id)

    async def _do(self, customer: Customer, now: datetime) -> None:
        event = customer.next_event
        customer.events_done, customer.acted_at = customer.events_done + 1, now
        if event is None:
            return
        try:
            await self._ask(customer, event)
        except RelanceError as refusal:
            words = f"asks for {event.does.replace('_', ' ')}, refused: {refusal.message}"
            self._telling.say(now, customer.subscription_id, words)

    async def _ask(self, customer: Customer, event: Event) -> None:
        subscription = customer.subscription_id
        match event:
            case people.Pauses():
                await self._relance.pause(subscription, when=event.when, credit=event.credit)
            case people.Resumes():
                await self._relance.resume(subscription)
            case people.ChangesPlan():
                await self._relance.change_plan(subscription, event.plan)
            case people.ChangesQuantity():
                await self._relance.change_quantity(subscription, event.quantity)
                self._telling.say(customer.acted_at, subscription, f"asks for {event.quantity} seats")
            case people.Cancels():
                await self._relance.cancel(subscription, when=event.when)
            case people.Keeps():
                await self._relance.keep(subscription)
            case people.RetriesNow():
                await self._relance.retry_now(subscription)
            case people.GivesCard():
                customer.cards += 1
                token = await self._fakes.new_card(
                    f"{customer.person.reference}-{customer.cards}", event.card
                )
                await self._relance.set_payment_method(customer.customer_id, token)
                self._telling.say(customer.acted_at, subscription, "gives another card")


def afternoon(day: date, zone: str) -> datetime:
    """Three o'clock there, in UTC."""
    return datetime.combine(day, AFTERNOON, ZoneInfo(zone)).astimezone(UTC)


def begins_at(cast: Cast) -> datetime:
    """The first sign-up."""
    return min(map(_sign_up_at, cast.customer))


def ends_at(cast: Cast) -> datetime:
    """The end of the last day, in UTC."""
    return datetime.combine(cast.ends + timedelta(days=1), time(), UTC)


def _sign_up_at(person: Person) -> datetime:
    return afternoon(person.signs_up, person.timezone)
