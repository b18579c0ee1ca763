"""Orders of the sign-up page that did not become a subscription, although their buyer agreed to pay."""

from __future__ import annotations

from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from starter.signup_sessions import is_past_carrying_out
from starter.symptoms import PATIENCE, Finding, Trouble
from starter.unfinished_orders import unfinished


async def forgotten_orders(session: AsyncSession, now: datetime) -> list[Finding]:
    """Those that the outbox's loop has not carried out by now.

    Args:
        session: for looking.
        now: real time.
    """
    found = []
    for row in await unfinished(session, before=now - PATIENCE):
        is_past = await is_past_carrying_out(session, row, now)
        mend = "See that a worker runs; --fix carries it out, or says why it cannot be."
        end = f"Write to the buyer, and end it: relance plan signup-expire {row.id}"
        found.append(
            Finding(
                trouble=Trouble.ORDER,
                about=f"signup_session/{row.id}",
                says=f"ordered {row.ordered_at:%Y-%m-%d %H:%M} UTC by {row.fields['email']}, and not carried out",
                remedy=end if is_past else mend,
                fixable=not is_past,
            )
        )
    return found
