"""The books as an auditor reads them: every way in which money moves is counted (I11)."""

from __future__ import annotations

from support.bookkeeping import signs_up
from support.priced import terms

from billing.corrections import Credit, PayBackAs
from billing.refund import RefundState
from models.database import Database
from sandbox.demo.checking import check
from starter.accounts import CustomerAccount, read_accounts


async def test_refunds_and_the_use_of_balance_are_no_difference(sqlite_database: Database) -> None:
    """72.00 are paid; 12.00 go back by refund, 20.00 to the balance, which pays a part of February's 72.00."""
    books = await signs_up(sqlite_database, terms("60.00"))
    await books.is_paid()
    (invoice,) = (await books.look()).issued
    for amount, then in ((1200, PayBackAs.REFUND), (2000, PayBackAs.BALANCE)):
        credit = Credit(
            command_id=f"ticket {amount}", invoice_id=invoice, reason="asked", amount_minor=amount, then=then
        )
        assert await books.corrects(credit)
    await books.refunds_are(RefundState.SUCCEEDED)
    await books.passes(31)
    await books.takes_step()
    await books.is_paid()
    async with sqlite_database.read() as session:
        accounts = await read_accounts(session, books.clock_id)
    assert [charge["amount"] for charge in books.charges] == [7200, 5200]
    assert accounts.customers == (
        CustomerAccount(
            customer_id=books.customer_id,
            currency="EUR",
            invoiced_minor=14400,
            credited_minor=3200,
            paid_minor=12400,
            refunded_minor=1200,
            open_minor=0,
            balance_minor=0,
            unapplied_minor=0,
        ),
    )
    assert check(accounts, books.ledger, (), mails_sent=0, names={}).differences == ()
