"""What is asked of a running subscription, one method for each command."""

from __future__ import annotations

from datetime import date

from typing_extensions import Unpack

from activities.books.previewing import Preview
from billing.agreed import Agreed
from billing.commands import (
    Cancel,
    ChangePlan,
    ChangeQuantity,
    ChangeTerms,
    Command,
    CreditTo,
    KeepSubscription,
    Pause,
    Resume,
    RetryNow,
    UndoChange,
    When,
    Withdraw,
)
from billing.discounts import Discount
from models.boundary import Accepted, WishAccepted
from models.ids import new_id
from starter.changes import How, Previews
from starter.subscriptions import Subscriptions


class Commands:
    """Commands to subscriptions. Each may be repeated with its command id: it is done once."""

    def __init__(self, subscriptions: Subscriptions, previews: Previews) -> None:
        self._subscriptions = subscriptions
        self._previews = previews

    async def change_plan(
        self,
        subscription: str,
        plan: str,
        *,
        quantity: int | None = None,
        command_id: str | None = None,
        by: str = "api",
        **how: Unpack[How],
    ) -> Accepted:
        """Another plan, at the period's end unless `when` says now; None keeps the quantity.

        Args:
            subscription: which.
            plan: id or reference.
            quantity: seats, where they change too.
            command_id: as everywhere.
            by: who asked.
            how: `when`, `prorate`, `if_paid`, `keep_anchor`, `previewed_on`; see `billing.commands.Change`.

        Raises:
            As `Subscriptions.tell`.
        """
        command = ChangePlan(command_id=_id(command_id), by=by, plan_id=plan, quantity=quantity, **how)
        return await self._subscriptions.tell(subscription, command)

    async def change_quantity(
        self,
        subscription: str,
        quantity: int,
        *,
        command_id: str | None = None,
        by: str = "api",
        **how: Unpack[How],
    ) -> Accepted:
        """Another number of seats; when and how as for `change_plan`. Raises as `Subscriptions.tell`."""
        command = ChangeQuantity(command_id=_id(command_id), by=by, quantity=quantity, **how)
        return await self._subscriptions.tell(subscription, command)

    async def change_terms(
        self,
        subscription: str,
        agreed: Agreed = Agreed(),  # noqa: B008 - frozen
        *,
        add_discount: Discount | None = None,
        remove_discount: str | None = None,
        command_id: str | None = None,
        by: str = "api",
        **how: Unpack[How],
    ) -> Accepted:
        """Anything else that was agreed with this customer: price, rhythm, billing day, features, discounts.

        A discount is taken back by the id of its coupon. When and how as for `change_plan`. Raises as
        `Subscriptions.tell`.
        """
        command = ChangeTerms(
            command_id=_id(command_id),
            by=by,
            agreed=agreed,
            add_discount=add_discount,
            remove_discount=remove_discount,
            **how,
        )
        return await self._subscriptions.tell(subscription, command)

    async def undo_change(
        self, subscription: str, *, command_id: str | None = None, by: str = "api"
    ) -> Accepted:
        """Take back a change that has not taken effect. Raises as `Subscriptions.tell`."""
        return await self._subscriptions.tell(subscription, UndoChange(command_id=_id(command_id), by=by))

    async def tell(self, subscription: str, command: Command) -> Accepted:
        """Any command, as a value; see `Subscriptions.tell`."""
        return await self._subscriptions.tell(subscription, command)

    async def preview(self, subscription: str, command: Command) -> Preview:
        """What a command would bill and give back now, exactly; see `Previews.preview`."""
        return await self._previews.preview(subscription, command)

    async def cancel(
        self,
        subscription: str,
        *,
        when: When = When.PERIOD_END,
        on: date | None = None,
        credit_to: CreditTo = CreditTo.BALANCE,
        command_id: str | None = None,
        by: str = "api",
        reason: str = "",
    ) -> Accepted:
        """The end: with the period, with the one that a date falls into, or now.

        Args:
            subscription: which.
            when: with the period, or now.
            on: not with `now`: the customer's date up to which it goes on, today or later. It ends with the first
                period that ends on or after it.
            credit_to: of a cancel now, where paid days that are not used go.
            command_id: as everywhere.
            by: who asked.
            reason: for the record.

        Raises:
            As `Subscriptions.tell`.
        """
        command = Cancel(
            command_id=_id(command_id), by=by, reason=reason, when=when, on=on, credit_to=credit_to
        )
        return await self._subscriptions.tell(subscription, command)

    async def withdraw(
        self, subscription: str, *, command_id: str | None = None, by: str = "api", reason: str = ""
    ) -> Accepted:
        """A consumer goes back on the contract within 14 days: the end at once, and the money back (rules 32).

        Raises:
            As `Subscriptions.tell`.
        """
        command = Withdraw(command_id=_id(command_id), by=by, reason=reason)
        return await self._subscriptions.tell(subscription, command)

    async def keep(self, subscription: str, *, command_id: str | None = None, by: str = "api") -> Accepted:
        """Take back a cancel or a pause that has not taken effect. Raises as `Subscriptions.tell`."""
        return await self._subscriptions.tell(
            subscription, KeepSubscription(command_id=_id(command_id), by=by)
        )

    async def pause(
        self,
        subscription: str,
        *,
        when: When = When.PERIOD_END,
        credit: bool = False,
        credit_to: CreditTo = CreditTo.BALANCE,
        command_id: str | None = None,
        by: str = "api",
    ) -> Accepted:
        """A pause; with `credit`, now only, unused days are credited. Raises as `Subscriptions.tell`."""
        command = Pause(command_id=_id(command_id), by=by, when=when, credit=credit, credit_to=credit_to)
        return await self._subscriptions.tell(subscription, command)

    async def resume(
        self,
        subscription: str,
        *,
        issue: tuple[date, ...] | None = None,
        command_id: str | None = None,
        by: str = "api",
    ) -> Accepted:
        """Back from a pause, from unpaid or from parked.

        Args:
            subscription: which.
            issue: after a long downtime, the starts of the missed periods to issue; None issues all.
            command_id: as everywhere.
            by: who asked.

        Raises:
            As `Subscriptions.tell`.
        """
        command = Resume(command_id=_id(command_id), by=by, issue=issue)
        return await self._subscriptions.tell(subscription, command)

    async def retry_now(
        self, subscription: str, *, command_id: str | None = None, by: str = "api"
    ) -> Accepted:
        """Charge the oldest open invoice at once. Raises as `Subscriptions.tell`."""
        return await self._subscriptions.tell(subscription, RetryNow(command_id=_id(command_id), by=by))

    async def pay_now(
        self, invoice_id: str, *, command_id: str | None = None, by: str = "customer"
    ) -> WishAccepted:
        """The customer asks that an invoice be charged now; see `Subscriptions.pay_now`."""
        return await self._subscriptions.pay_now(invoice_id, command_id=command_id, by=by)

    async def send_change_plan(
        self, subscription: str, plan: str, *, quantity: int | None = None, command_id: str | None = None
    ) -> str:
        """A plan change without waiting for an answer; its command id. Raises as `Subscriptions.send`."""
        command = ChangePlan(command_id=_id(command_id), plan_id=plan, quantity=quantity)
        await self._subscriptions.send(subscription, command)
        return command.command_id

    async def send_cancel(
        self,
        subscription: str,
        *,
        when: When = When.PERIOD_END,
        on: date | None = None,
        command_id: str | None = None,
    ) -> str:
        """A cancel without waiting for an answer; its command id. Raises as `Subscriptions.send`."""
        command = Cancel(command_id=_id(command_id), when=when, on=on)
        await self._subscriptions.send(subscription, command)
        return command.command_id


def _id(command_id: str | None) -> str:
    return command_id or new_id("cmd")
