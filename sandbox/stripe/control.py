"""The control plane under `/_fake/`: scripts, faults, cards, clocks, 3-D Secure, ledger and attempts.

It has no keys and looks at every account. It is for tests, the demo and people at the sandbox.
"""

import html
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from sandbox.stripe import charges, checkout, front, intents, mandates, methods, scripts, setups
from sandbox.stripe.dashboard import Dashboard
from sandbox.stripe.errors import Document
from sandbox.stripe.faults import Faults, fault
from sandbox.stripe.hosted import HostedPage
from sandbox.stripe.plane import Endpoint, Unusable, find, guarded, json_of
from sandbox.stripe.store import Books, Kind
from sandbox.stripe.timekeeper import Timekeeper
from sandbox.stripe.world import Call, World


class Control:
    """The control plane's endpoints.

    Attributes:
        timekeeper: set when the application starts.
    """

    def __init__(self, world: World, faults: Faults) -> None:
        self._world = world
        self._faults = faults
        self.timekeeper: Timekeeper | None = None

    def routes(self) -> list[Route]:
        """The routes, each answering 400 or 404 with a plain sentence when it cannot."""
        table: list[tuple[str, str, Endpoint]] = [
            ("GET", "/", self.front),
            ("GET", "/healthz", self.health),
            ("GET", "/_fake/script/{id}", self.show_script),
            ("POST", "/_fake/script/{id}", self.write_script),
            ("GET", "/_fake/faults", self.show_faults),
            ("POST", "/_fake/faults", self.add_faults),
            ("DELETE", "/_fake/faults", self.clear_faults),
            ("POST", "/_fake/card/{id}", self.change_card),
            ("POST", "/_fake/mandate", self.bring_in_mandate),
            ("POST", "/_fake/mandate/{id}/revoke", self.revoke_mandate),
            ("GET", "/_fake/ledger", self.ledger),
            ("POST", "/_fake/ledger/shift", self.shift),
            ("GET", "/_fake/attempts", self.attempts),
            ("GET", "/_fake/webhooks", self.webhooks),
            ("GET", "/_fake/clock", self.own_clock),
            ("POST", "/_fake/clock", self.move_own_clock),
            ("GET", "/_fake/clock/{id}", self.clock),
            ("POST", "/_fake/clock/{id}", self.advance),
            ("GET", "/_fake/3ds/{id}", self.ask_payer),
            ("POST", "/_fake/3ds/{id}", self.payer_answers),
            ("POST", "/_fake/reset", self.reset),
            *Dashboard(self._world).table(),
            *HostedPage(self._world).table(),
        ]
        return [Route(path, guarded(endpoint), methods=[method]) for method, path, endpoint in table]

    async def health(self, _: Request) -> Response:
        """It is up."""
        return JSONResponse({"status": "ok"})

    async def front(self, _: Request) -> Response:
        """The page for people."""
        return HTMLResponse(front.page(self._world))

    async def show_script(self, request: Request) -> Response:
        """What is left of a payment method's script."""
        books, method = find(self._world, "payment_method", request.path_params["id"])
        return JSONResponse(books.get("script", method["id"]) or {"id": method["id"]})

    async def write_script(self, request: Request) -> Response:
        """Script a payment method's bank (see `scripts`)."""
        books, method = find(self._world, "payment_method", request.path_params["id"])
        script = scripts.write(books, method["id"], await json_of(request))
        self._world.store.flush()
        return JSONResponse(script)

    async def show_faults(self, _: Request) -> Response:
        """The faults still waiting."""
        return JSONResponse([one.shown for one in self._faults.waiting])

    async def add_faults(self, request: Request) -> Response:
        """One fault or a list of them (see `faults.Fault`)."""
        body = await json_of(request)
        self._faults.waiting += [fault(one) for one in (body if isinstance(body, list) else [body])]
        return await self.show_faults(request)

    async def clear_faults(self, request: Request) -> Response:
        """No more faults."""
        self._faults.waiting.clear()
        return await self.show_faults(request)

    async def change_card(self, request: Request) -> Response:
        """The card network renewed a card: `exp_month`, `exp_year`, `number`."""
        books, method = find(self._world, "payment_method", request.path_params["id"])
        changes = await json_of(request)
        if method["type"] != "card" or not isinstance(changes, dict):
            raise Unusable("Send exp_month, exp_year or number for a payment method that is a card.")
        if changes.keys() - {"exp_month", "exp_year", "number"} or not changes:
            raise Unusable("A card takes exp_month, exp_year and number.")
        call = Call(self._world, books)
        before = dict(method["card"])
        if "number" in changes:
            methods.renumber(call, method, str(changes["number"]))
        method["card"].update({name: int(value) for name, value in changes.items() if name != "number"})
        books.put("payment_method", method)
        previous = {name: value for name, value in before.items() if method["card"][name] != value}
        call.emit("payment_method.automatically_updated", method, {"card": previous})
        self._world.store.flush()
        return JSONResponse(method)

    async def bring_in_mandate(self, request: Request) -> Response:
        """Stripe imports a mandate of another payment service: `payment_method`, `reference`, `accepted_on`."""
        body = await json_of(request)
        if not isinstance(body, dict) or body.keys() != {"payment_method", "reference", "accepted_on"}:
            raise Unusable("Send payment_method, reference and accepted_on, a date.")
        books, method = find(self._world, "payment_method", str(body["payment_method"]))
        if method["type"] != "sepa_debit":
            raise Unusable("A mandate belongs to a payment method of type sepa_debit.")
        try:
            accepted_at = datetime.fromisoformat(str(body["accepted_on"])).replace(tzinfo=UTC)
        except ValueError:
            raise Unusable("accepted_on is a date, as 2024-03-15.") from None
        made = mandates.bring_in(
            Call(self._world, books), method, str(body["reference"]), int(accepted_at.timestamp())
        )
        self._world.store.flush()
        return JSONResponse(made)

    async def revoke_mandate(self, request: Request) -> Response:
        """The payer takes a mandate back, at their bank."""
        books, mandate = find(self._world, "mandate", request.path_params["id"])
        revoked = mandates.revoke(Call(self._world, books), mandate["id"])
        self._world.store.flush()
        return JSONResponse(revoked)

    async def ledger(self, _: Request) -> Response:
        """All money that moved: charges, refunds, disputes, totals by currency, in minor units."""
        entries = [entry for books in self._world.store for entry in books.all("ledger")]
        totals: dict[str, dict[str, int]] = {}
        for entry in entries:
            total = totals.setdefault(entry["currency"], {"charged": 0, "refunded": 0, "net": 0})
            amount = charges.signed(entry)
            total["net"] += amount
            total["charged"] += amount if entry["kind"] == "charge" else 0
            total["refunded"] -= amount if entry["kind"] in {"refund", "refund_failed"} else 0
        of_kind = {
            name: [entry for entry in entries if entry["kind"] in kinds] for name, kinds in _LISTED.items()
        }
        return JSONResponse({**of_kind, "totals": totals})

    async def shift(self, request: Request) -> Response:
        """Falsify the ledger's amount of one `charge` by `by_minor`, behind everybody's back."""
        body = await json_of(request)
        if not isinstance(body, dict) or not isinstance(body.get("by_minor"), int) or "charge" not in body:
            raise Unusable('Send {"charge": "ch_...", "by_minor": 1}.')
        books, entry = find(self._world, "ledger", str(body["charge"]))
        entry["amount"] += body["by_minor"]
        books.put("ledger", entry)
        self._world.store.flush()
        return JSONResponse(entry)

    async def attempts(self, request: Request) -> Response:
        """Every authorisation that reached the bank, oldest first; filtered by any field in the query."""
        wanted = dict(request.query_params)
        found = [
            attempt
            for books in self._world.store
            for attempt in books.all("attempt")
            if all(str(attempt.get(name)) == value for name, value in wanted.items())
        ]
        return JSONResponse(found)

    async def webhooks(self, _: Request) -> Response:
        """Deliveries that wait for another try, or were given up."""
        return JSONResponse([one for books in self._world.store for one in books.all("delivery")])

    async def own_clock(self, _: Request) -> Response:
        """The fake's own time, which objects off test clocks and idempotency keys go by."""
        return JSONResponse({"now": _iso(self._world.wall())})

    async def move_own_clock(self, request: Request) -> Response:
        """Move the fake's own time ahead by `seconds`; answers when what became due by then was settled."""
        body = await json_of(request)
        if not isinstance(body, dict) or not isinstance(body.get("seconds"), int) or body["seconds"] < 0:
            raise Unusable('Send {"seconds": 86400}; time only goes forward.')
        self._world.offset += body["seconds"]
        self._keeper().settle_now()
        self._world.wake()
        return await self.own_clock(request)

    async def clock(self, request: Request) -> Response:
        """When something is next due on a test clock, found by its id or its name; null for nothing."""
        due = [
            at
            for books, clock in self._clocks(request.path_params["id"])
            if (at := self._keeper().next_due(books, clock)) is not None
        ]
        return JSONResponse({"next_due": _iso(min(due)) if due else None})

    async def advance(self, request: Request) -> Response:
        """Advance a test clock `to` an instant; answers when all that was due has been done."""
        body = await json_of(request)
        to = _instant(body.get("to") if isinstance(body, dict) else None)
        for books, clock in self._clocks(request.path_params["id"]):
            await self._keeper().advance(books, clock, to)
        return await self.clock(request)

    async def ask_payer(self, request: Request) -> Response:
        """The bank's 3-D Secure page."""
        kind, identifier = _intent(request)
        _, intent = find(self._world, kind, identifier)
        waits = intent["status"] == "requires_action"
        amount = f"{intent['amount']} {intent['currency'].upper()}" if "amount" in intent else "nothing now"
        facts = {"id": identifier, "status": intent["status"], "amount": amount}
        page = _PAGE.format(
            **{name: html.escape(value) for name, value in facts.items()}, form=_FORM if waits else _OVER
        )
        return HTMLResponse(page)

    async def payer_answers(self, request: Request) -> Response:
        """The payer passes or fails: `result` is `succeeded` or `failed`, as a form or as JSON."""
        kind, identifier = _intent(request)
        books, intent = find(self._world, kind, identifier)
        from_page = "json" not in request.headers.get("Content-Type", "")
        body = (
            dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
            if from_page
            else await json_of(request)
        )
        result = body.get("result") if isinstance(body, dict) else None
        if result not in {"succeeded", "failed"}:
            raise Unusable('Send {"result": "succeeded"} or {"result": "failed"}.')
        call = Call(self._world, books, base_url=str(request.base_url).rstrip("/"))
        authenticate = intents.authenticate if kind == "payment_intent" else setups.authenticate
        back = authenticate(call, identifier, passed=result == "succeeded")
        if kind == "setup_intent":
            checkout.finish_after_bank(call, identifier)
        self._world.store.flush()
        if from_page and back is not None:
            return RedirectResponse(back, 303)
        return JSONResponse({"id": identifier, "status": intent["status"], "return_url": back})

    async def reset(self, _: Request) -> Response:
        """Forget everything."""
        self._world.store.clear()
        self._faults.waiting.clear()
        self._world.offset = 0
        return JSONResponse({"status": "ok"})

    def _clocks(self, name: str) -> list[tuple[Books, Document]]:
        return [
            (books, clock)
            for books in self._world.store
            for clock in books.all("test_clock")
            if name in {clock["id"], clock["name"]}
        ]

    def _keeper(self) -> Timekeeper:
        if self.timekeeper is None:
            raise Unusable("The application has not started yet.")
        return self.timekeeper


def _intent(request: Request) -> tuple[Kind, str]:
    identifier: str = request.path_params["id"]
    return ("setup_intent" if identifier.startswith("seti_") else "payment_intent"), identifier


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


def _instant(text: object) -> int:
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise Unusable('Send {"to": "2027-01-31T08:00:00+00:00"}.') from error
    if at.tzinfo is None:
        raise Unusable("The instant needs an offset: 2027-01-31T08:00:00+00:00.")
    return int(at.timestamp())


_LISTED = {
    "charges": {"charge"},
    "refunds": {"refund"},
    "disputes": {"dispute", "dispute_won", "dispute_fee"},
}
"""Kinds of entries of the ledger under the names by which they are listed."""

_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>3-D Secure test page</title></head>
<body>
<h1>Your bank asks: is this you?</h1>
<p>Test page of the sandbox for {id} ({status}), over {amount} in minor units. No money moves.</p>
{form}
</body>
</html>
"""
_FORM = """<form method="post">
<button name="result" value="succeeded">Complete authentication</button>
<button name="result" value="failed">Fail authentication</button>
</form>
<p>To walk away, leave this page without an answer: the payment goes on waiting.</p>"""
_OVER = "<p>It waits for nobody any more. Go back to the shop.</p>"
