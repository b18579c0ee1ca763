"""The provider's own page on which a customer saves a payment method: the way there, and what came of it."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from activities.books.rows import NotFound
from activities.gateway import ProviderRefused
from activities.hosted_setups import command_of
from billing.errors import InvalidInput
from models.ids import new_id
from models.tables import Customer
from settings import STRIPE, Settings
from starter.connections import Connections
from starter.finding import find, the_entity
from starter.payment_methods import MethodSet, PaymentMethods, provider_id_of

STRIPES_PAGES: Final = "https://checkout.stripe.com"
"""Where Stripe's hosted pages are, to which a form of ours may lead."""


def origin_of_hosted_pages(settings: Settings) -> str:
    """The origin of the provider's hosted pages: Stripe's, in the sandbox the fake's."""
    if settings.stripe_api_base == STRIPE:
        return STRIPES_PAGES
    parts = urlsplit(settings.stripe_api_base)
    return f"{parts.scheme}://{parts.netloc}"


class HostedPages:
    """Card and bank data are typed in there, and never come here."""

    def __init__(self, to: Connections, methods: PaymentMethods) -> None:
        self._to = to
        self._methods = methods

    async def begin(
        self, customer: str, *, back_to: str, given_up: str, language: str, command_id: str | None = None
    ) -> str:
        """The address of the provider's page on which a customer saves a card, or an account that the seller may debit.

        Args:
            customer: by id or reference.
            back_to: where they come back to; `{CHECKOUT_SESSION_ID}` in it becomes what `add_what_came` takes.
            given_up: where they come back to without one.
            language: `fr` or `en`.
            command_id: makes asking again the same as asking once.

        Raises:
            NotFound: there is no such customer.
            InvalidInput: the provider does not know them.
        """
        async with self._to.database.read() as session:
            owner = await find(session, Customer, customer, field="customer")
            seller = await the_entity(session, owner.entity_id)
        page = await self._to.gateway().create_hosted_setup(
            customer=provider_id_of(owner),
            back_to=back_to,
            given_up=given_up,
            language=language,
            debits=bool(seller.creditor_id),
            idempotency_key=f"page/{owner.id}/{command_id or new_id('cmd')}",
        )
        if page.url is None:
            raise InvalidInput("This page is over. Begin anew.", field="command_id")
        return page.url

    async def add_what_came(self, customer: str, page: str) -> MethodSet | None:
        """Make the default what came of such a page, as `PaymentMethods.add` does. Asking again changes nothing.

        The provider tells of it by event as well (`activities.hosted_page_news`): whoever comes first does it.

        Returns:
            What was saved; None where nothing came of the page.

        Raises:
            NotFound: there is no such customer, or the page was another's.
            MethodRefused, TemporalUnreachable: as there.
        """
        async with self._to.database.read() as session:
            owner = await find(session, Customer, customer, field="customer")
        try:
            done = await self._to.gateway().look_at_hosted_setup(page)
        except ProviderRefused as refusal:
            raise NotFound(f"There is no page {page}.", field="page") from refusal
        if done.customer != owner.provider_id:
            raise NotFound(f"There is no page {page}.", field="page")
        if done.payment_method is None:
            return None
        return await self._methods.add(
            owner.id, done.payment_method, command_id=command_of(done.id), only_if_new=True
        )
