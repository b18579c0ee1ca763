"""Ways to sign up by oneself."""

from __future__ import annotations

from starter.remote.transport import Transport, at
from starter.resources.signup import NewSignupSession, SignupSession


class SignupSessions:
    """`/v1/signup_sessions`."""

    def __init__(self, through: Transport) -> None:
        self._through = through

    async def create(self, body: NewSignupSession, *, idempotency_key: str | None = None) -> SignupSession:
        """Make a page on which somebody signs up for a plan."""
        path = "/v1/signup_sessions"
        return await self._through.send(SignupSession, "POST", path, body, idempotency_key=idempotency_key)

    async def get(self, session: str) -> SignupSession:
        """Where it stands, and what came of it."""
        return await self._through.get(SignupSession, at("signup_sessions", session))

    async def expire(self, session: str, *, idempotency_key: str | None = None) -> SignupSession:
        """End it at once."""
        path = at("signup_sessions", session, "expire")
        return await self._through.send(SignupSession, "POST", path, None, idempotency_key=idempotency_key)
