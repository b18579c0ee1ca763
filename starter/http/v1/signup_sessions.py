"""Ways to sign up by oneself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Path

from models import tables
from models.ids import derived_id
from starter.http.calling import Call, Reads, Supports, Writes
from starter.http.v1.common import api_router
from starter.http.v1.subscription_views import first_payment
from starter.resources.common import built
from starter.resources.signup import Accepted, NewSignupSession, SignupSession
from starter.signup_sessions import NewSignup, SignupState, state_of

router = api_router("signup_sessions", "Signing up")

SessionKey = Annotated[
    str,
    Path(
        max_length=110,
        description="Id of the session, or `ref:...` for the newest with this reference of a subscription.",
    ),
]


@router.post("", status_code=201)
async def create_signup_session(body: NewSignupSession, call: Writes) -> SignupSession:
    """Make a page on which somebody signs up for a plan: details, total with VAT, payment method, order.

    A session makes a customer of its own, whatever mail address is typed in, and shows nothing of one that there is.
    """
    order = built(
        NewSignup,
        plan=body.plan,
        quantity=body.quantity,
        coupons=body.coupons,
        reference=body.reference,
        customer_reference=body.customer_reference,
        fields={name: value for name, value in body.customer.model_dump().items() if value is not None},
        language=body.language,
        timezone=body.timezone,
        clock=body.test_clock,
        success_url=body.success_url,
        cancel_url=body.cancel_url,
        terms_url=body.terms_url,
        terms_version=body.terms_version,
        custom=body.metadata,
        lifetime=timedelta(hours=body.expires_in_hours),
    )
    session_id = derived_id("su", call.id)
    return await _show(
        call, await call.relance.signup_sessions.create(order, session_id=session_id, by=call.by)
    )


@router.get("/{signup_session}")
async def get_signup_session(signup_session: SessionKey, call: Reads) -> SignupSession:
    """Where it stands: the customer and the subscription that came of it, and what came of the first payment."""
    return await _show(call, await call.relance.signup_sessions.find(signup_session))


@router.post("/{signup_session}/expire")
async def expire_signup_session(signup_session: SessionKey, call: Supports) -> SignupSession:
    """End it at once: its page takes no order any more. One that was ordered is refused."""
    return await _show(call, await call.relance.signup_sessions.expire(signup_session))


async def _show(call: Call, row: tables.SignupSession) -> SignupSession:
    state = state_of(row, datetime.now(UTC))
    payment = None
    if row.subscription_id is not None:
        payment = await first_payment(call, row.subscription_id, seconds=0)
    same = set(SignupSession.model_fields) & set(tables.SignupSession.model_fields)
    return SignupSession(
        **{name: getattr(row, name) for name in same},
        state=state.value,
        url=call.relance.signup_sessions.url_of(row) if state is SignupState.OPEN else None,
        plan=row.plan_id,
        test_clock=row.clock_id,
        metadata=row.custom,
        customer=row.customer_id,
        subscription=row.subscription_id,
        accepted=None if row.consent is None else Accepted.model_validate(row.consent),
        first_payment=payment,
    )
