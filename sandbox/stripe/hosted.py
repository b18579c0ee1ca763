"""The hosted page of the fake's Checkout: a choice of test cards and accounts."""

import html
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from sandbox.stripe import checkout
from sandbox.stripe.errors import ApiError, Document
from sandbox.stripe.plane import Endpoint, find
from sandbox.stripe.world import Call, World

CARDS = (
    ("4242424242424242", "Visa that works"),
    ("5555555555554444", "Mastercard that works"),
    ("4000002500003155", "asks for 3-D Secure once, now"),
    ("4000000000000341", "can be saved, every charge is declined"),
    ("4000000000000002", "is declined now"),
)
ACCOUNTS = (
    ("AT611904300234573201", "debits succeed"),
    ("AT861904300235473202", "debits fail"),
)


class HostedPage:
    """Stripe's page, on which a payer saves a payment method."""

    def __init__(self, world: World) -> None:
        self._world = world

    def table(self) -> list[tuple[str, str, Endpoint]]:
        """Method, path and endpoint of each."""
        return [
            ("GET", "/_fake/checkout/{id}", self.show),
            ("POST", "/_fake/checkout/{id}", self.submit),
        ]

    async def show(self, request: Request) -> Response:
        """The page, while it is open."""
        _, session = find(self._world, "checkout_session", request.path_params["id"])
        return HTMLResponse(_page(session))

    async def submit(self, request: Request) -> Response:
        """The payer filled it in; a card that is declined is said on the page, where another one can be tried."""
        books, session = find(self._world, "checkout_session", request.path_params["id"])
        filled_in = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        call = Call(self._world, books, base_url=str(request.base_url).rstrip("/"))
        try:
            goes_to = checkout.submit(call, session["id"], filled_in)
        except ApiError as error:
            return HTMLResponse(_page(session, said=str(error.body["error"]["message"])), 402)
        finally:
            self._world.store.flush()
        return RedirectResponse(goes_to, 303)


def _page(session: Document, *, said: str = "") -> str:
    cards = "".join(_choice("number", number, f"{_grouped(number)}: {what}") for number, what in CARDS)
    accounts = "".join(_choice("iban", iban, f"{_grouped(iban)}: {what}") for iban, what in ACCOUNTS)
    form = f'<form method="post"><fieldset><legend>Card</legend>{cards}</fieldset></form>'
    if "sepa_debit" in session["payment_method_types"]:
        form += f"""<form method="post"><fieldset><legend>SEPA debit</legend>
<p>By saving it you authorise the seller to debit this account, and your bank to follow its instructions.</p>
{accounts}</fieldset></form>"""
    back = html.escape(session.get("cancel_url") or "/")
    return _PAGE.format(
        said=f'<p role="alert">{html.escape(said)}</p>' if said else "",
        form=form if session["status"] == "open" else "<p>This page is over.</p>",
        back=f'<p><a href="{back}">Back without saving</a></p>',
    )


def _choice(name: str, value: str, words: str) -> str:
    return f'<p><button name="{name}" value="{value}">{html.escape(words)}</button></p>'


def _grouped(number: str) -> str:
    return " ".join(number[place : place + 4] for place in range(0, len(number), 4))


_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Save a payment method · fake Stripe</title>
<style>body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 36rem; padding: 0 1rem; }}
button {{ font: inherit; padding: .5rem .8rem; width: 100%; text-align: left; }}</style></head>
<body>
<h1>Save a payment method</h1>
<p>The sandbox's page in place of Stripe's. No money moves.</p>
{said}
{form}
{back}
</body>
</html>
"""
