"""What people and banks do outside the API: refunds by hand, the bank's late words, disputes, warnings of fraud."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.stripe import disputes, refunds
from sandbox.stripe.errors import Document
from sandbox.stripe.plane import Endpoint, NotFound, Unusable, find, json_of
from sandbox.stripe.store import Books
from sandbox.stripe.world import Call, World

_BECOMES = ("needs_response", "under_review", *disputes.ENDINGS)


class Dashboard:
    """Endpoints about one charge, named by its own id or by that of its PaymentIntent, and what came of it."""

    def __init__(self, world: World) -> None:
        self._world = world

    def table(self) -> list[tuple[str, str, Endpoint]]:
        """Method, path and endpoint of each."""
        return [
            ("POST", "/_fake/charge/{id}/refund", self.refund),
            ("POST", "/_fake/refund/{id}", self.change_refund),
            ("POST", "/_fake/charge/{id}/dispute", self.dispute),
            ("POST", "/_fake/dispute/{id}", self.change_dispute),
            ("POST", "/_fake/charge/{id}/fraud_warning", self.warn),
        ]

    async def refund(self, request: Request) -> Response:
        """Somebody refunds a charge in the dashboard: `amount`, by default all that is left, and `reason`."""
        books, charge = self._charge(request)
        asked = await _fields(request, {"amount", "reason"})
        refund = refunds.create(Call(self._world, books), {**asked, "charge": charge["id"]})
        return self._answer(refund)

    async def change_refund(self, request: Request) -> Response:
        """The bank's late word about a refund: `status` and, for a failure, `failure_reason`."""
        books, refund = find(self._world, "refund", request.path_params["id"])
        body = await json_of(request)
        status = body.get("status") if isinstance(body, dict) else None
        if status not in {"succeeded", "failed", "canceled", "requires_action"}:
            raise Unusable('Send {"status": "failed", "failure_reason": "lost_or_stolen_card"}.')
        refunds.turn(Call(self._world, books), refund, status, body.get("failure_reason"))
        return self._answer(refund)

    async def dispute(self, request: Request) -> Response:
        """The payer's bank disputes a charge: `reason`, `amount`, and `inquiry` where it only asks."""
        books, charge = self._charge(request)
        asked = await _fields(request, {"reason", "amount", "inquiry"})
        if asked.get("reason", "fraudulent") not in disputes.REASONS:
            raise Unusable(f"A reason is one of {', '.join(disputes.REASONS)}.")
        amount, inquiry = asked.get("amount"), asked.get("inquiry", False)
        if not isinstance(inquiry, bool) or not (amount is None or isinstance(amount, int)):
            raise Unusable('Send {"reason": "fraudulent", "amount": 5880, "inquiry": false}.')
        call = Call(self._world, books)
        reason = asked.get("reason", "fraudulent")
        return self._answer(
            disputes.open_dispute(call, charge, reason=reason, amount=amount, inquiry=inquiry)
        )

    async def change_dispute(self, request: Request) -> Response:
        """The bank's word about a dispute: `status`."""
        books, dispute = find(self._world, "dispute", request.path_params["id"])
        status = (await _fields(request, {"status"})).get("status")
        if status not in _BECOMES:
            raise Unusable(f'Send {{"status": "lost"}}; a dispute becomes {", ".join(_BECOMES)}.')
        disputes.turn(Call(self._world, books), dispute, status)
        return self._answer(dispute)

    async def warn(self, request: Request) -> Response:
        """The card's issuer warns of fraud: `fraud_type`."""
        books, charge = self._charge(request)
        asked = await _fields(request, {"fraud_type"})
        return self._answer(disputes.warn(Call(self._world, books), charge, **asked))

    def _charge(self, request: Request) -> tuple[Books, Document]:
        """The charge that is named, or the successful one of the PaymentIntent that is."""
        name = request.path_params["id"]
        for books in self._world.store:
            for charge in books.all("charge"):
                paid_by = charge["payment_intent"] == name and charge["status"] == "succeeded"
                if charge["id"] == name or paid_by:
                    return books, charge
        raise NotFound(f"No charge is called {name!r}, and no PaymentIntent with a charge that succeeded.")

    def _answer(self, document: Document) -> Response:
        self._world.store.flush()
        return JSONResponse(document)


async def _fields(request: Request, known: set[str]) -> Document:
    """The body as an object with no other fields than these; none at all is an empty one."""
    body = await json_of(request) if await request.body() else {}
    body = {} if body is None else body
    if not isinstance(body, dict) or body.keys() - known:
        raise Unusable(f"This takes an object with {' and '.join(sorted(known))}.")
    return body
