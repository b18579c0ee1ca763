"""Idempotency keys as Stripe keeps them: the first answer, good or bad, is everybody's answer for a day."""

import hashlib
from dataclasses import dataclass, field

from sandbox.stripe.errors import ApiError, Document
from sandbox.stripe.store import Books

_KEPT_SECONDS = 86_400
_LONGEST = 255


def fingerprint(body: str) -> str:
    """What makes two requests under one key the same: their encoded parameters."""
    return hashlib.sha256("&".join(sorted(body.split("&"))).encode()).hexdigest()


@dataclass
class Keys:
    """The keys in use; answers are kept per account in its books.

    A key is held while its request runs, kept with the answer once the endpoint had begun to run, and free
    again when the request failed before that.
    """

    _running: set[tuple[str, str]] = field(default_factory=set)

    def begin(self, books: Books, key: str, path: str, print_: str, now: int) -> Document | None:
        """Take a key for a request.

        Args:
            books: those of the account.
            key: as the caller sent it.
            path: the request's path: a key belongs to one endpoint.
            print_: the request's `fingerprint`.
            now: epoch seconds on the fake's own clock.

        Returns:
            The kept answer to replay, or None when the request is to run.

        Raises:
            ApiError: the key is in use, was used for another request, or is too long.
        """
        if len(key) > _LONGEST:
            raise _error(400, f"Idempotency keys have at most {_LONGEST} characters.")
        if (books.account, key) in self._running:
            raise _error(
                409,
                "There is currently another in-progress request using this Idempotency Key (that probably means "
                "you submitted twice, and the other request is still going through). Try again later.",
                code="idempotency_key_in_use",
            )
        kept = books.get("idempotency", key)
        if kept is not None and now - kept["created"] < _KEPT_SECONDS:
            same = "endpoint" if kept["path"] != path else "parameters" if kept["print"] != print_ else None
            if same is not None:
                raise _error(
                    400,
                    f"Keys for idempotent requests can only be used with the same {same} they were first used "
                    f"with. Try using a key other than '{key}' if you meant to execute a different request.",
                )
            return kept
        self._running.add((books.account, key))
        return None

    def keep(self, books: Books, key: str, answer: Document) -> None:
        """Keep the answer (`path`, `print`, `created`, `status`, `body`, `request_id`) under its key."""
        books.put("idempotency", {"id": key, **answer})
        self._running.discard((books.account, key))

    def release(self, books: Books, key: str) -> None:
        """Free a key whose request never ran."""
        self._running.discard((books.account, key))


def _error(status: int, message: str, *, code: str | None = None) -> ApiError:
    kind = "invalid_request_error" if code else "idempotency_error"
    return ApiError(status, kind, message, code=code, kept=False)
