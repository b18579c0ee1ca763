"""The SQL steps of subscriptions and collections as activities (engine 17). They touch nothing but the books."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from pydantic import ValidationError
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.books import chase_steps, steps
from activities.books.config import BookRules
from activities.books.gate import Prepares
from activities.books.steering import steer_chase
from billing.errors import RelanceError
from models.boundary import (
    CaseReport,
    CaseStepOrder,
    CommandOrder,
    LookOrder,
    ParkOrder,
    SteerOrder,
    SteerReport,
    StepOrder,
    SubscriptionReport,
    WishOrder,
)
from models.database import Database

Order = TypeVar("Order")
R = TypeVar("R")
S = TypeVar("S")


def faults_for_a_person(
    function: Callable[[S, Order], Coroutine[Any, Any, R]],
) -> Callable[[S, Order], Coroutine[Any, Any, R]]:
    """Turn what asking again cannot mend into a failure that parks; a database that is away is asked again."""

    @functools.wraps(function)
    async def wrapped(self: S, order: Order) -> R:
        try:
            return await function(self, order)
        except RelanceError as error:
            raise ApplicationError(error.message, type=error.code, non_retryable=True) from error
        except (ValidationError, ValueError, TypeError, LookupError, AssertionError) as error:
            message = f"{type(error).__name__}: {error}"
            raise ApplicationError(message, type="fault", non_retryable=True) from error

    return wrapped


class Books:
    """Every transaction that workflows ask for, one activity each."""

    def __init__(self, database: Database, gateway: Prepares, rules: BookRules) -> None:
        self._database = database
        self._gateway = gateway
        self._rules = rules

    @activity.defn(name="look_at_subscription")
    @faults_for_a_person
    async def look_at_subscription(self, order: LookOrder) -> SubscriptionReport:
        """The subscription as its rows have it."""
        async with self._database.write() as session:
            return await steps.look(session, self._gateway, self._rules, order)

    @activity.defn(name="take_subscription_step")
    @faults_for_a_person
    async def take_subscription_step(self, order: StepOrder) -> SubscriptionReport:
        """Take the step that is due."""
        async with self._database.write() as session:
            return await steps.take_step(session, self._gateway, self._rules, order)

    @activity.defn(name="apply_command")
    @faults_for_a_person
    async def apply_command(self, order: CommandOrder) -> SubscriptionReport:
        """Carry out a command, once."""
        async with self._database.write() as session:
            return await steps.apply_command(session, self._gateway, self._rules, order)

    @activity.defn(name="stop_collecting")
    @faults_for_a_person
    async def stop_collecting(self, order: LookOrder) -> None:
        """Close the gate to automatic attempts of a subscription."""
        async with self._database.write() as session:
            await steps.stop_collecting(session, order.id)

    @activity.defn(name="park_subscription")
    @faults_for_a_person
    async def park_subscription(self, order: ParkOrder) -> SubscriptionReport:
        """Write down that a person is needed."""
        async with self._database.write() as session:
            return await steps.park(session, self._gateway, self._rules, order)

    @activity.defn(name="hand_over")
    @faults_for_a_person
    async def hand_over(self, order: LookOrder) -> SubscriptionReport:
        """Give an invoice without an answer to its collection."""
        async with self._database.write() as session:
            return await steps.hand_over(
                session, self._gateway, self._rules, invoice_id=order.id, at=order.as_of
            )

    @activity.defn(name="open_case")
    @faults_for_a_person
    async def open_case(self, order: LookOrder) -> CaseReport:
        """A collection takes its invoice over."""
        async with self._database.write() as session:
            return await chase_steps.open_case(session, self._gateway, self._rules, order)

    @activity.defn(name="look_at_case")
    @faults_for_a_person
    async def look_at_case(self, order: LookOrder) -> CaseReport:
        """The chase as its rows have it."""
        async with self._database.write() as session:
            return await chase_steps.look_at_case(session, self._gateway, self._rules, order)

    @activity.defn(name="take_case_step")
    @faults_for_a_person
    async def take_case_step(self, order: CaseStepOrder) -> CaseReport:
        """A notice, or the end."""
        async with self._database.write() as session:
            return await chase_steps.take_case_step(session, self._gateway, self._rules, order)

    @activity.defn(name="steer_chase")
    @faults_for_a_person
    async def steer_chase(self, order: SteerOrder) -> SteerReport:
        """Carry out what a person decided in the UI; what does not fit is answered, not raised."""
        at, invoice_id = order.as_of, order.invoice_id
        try:
            async with self._database.write() as session:
                done = await steer_chase(
                    session, self._gateway, self._rules, order.directive, invoice_id=invoice_id, at=at
                )
        except RelanceError as refused:
            case = await self.look_at_case(LookOrder(id=invoice_id, as_of=at))
            return SteerReport(case=case, refused=refused.message)
        if done.invoice_id == invoice_id:
            return SteerReport(case=done.report)
        case = await self.look_at_case(LookOrder(id=invoice_id, as_of=at))
        return SteerReport(case=case, driver_id=done.invoice_id)

    @activity.defn(name="ask")
    @faults_for_a_person
    async def ask(self, order: WishOrder) -> CaseReport:
        """Take down that a person wants an invoice charged now."""
        async with self._database.write() as session:
            return await chase_steps.ask(
                session, self._gateway, self._rules, invoice_id=order.invoice_id, wish=order.wish
            )
