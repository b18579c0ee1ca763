"""Errors in the shape in which Stripe answers them."""

from typing import Any

Document = dict[str, Any]
"""A JSON object: a resource as Stripe shows it, or the parameters of a request."""


class ApiError(Exception):
    """A refusal that the caller sees.

    Attributes:
        status: HTTP status.
        kept: whether an idempotency key replays this answer. False for what fails before the endpoint has
            begun to run: validation, authentication, rate limits.
        headers: further HTTP headers of the answer.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        kept: bool = True,
        headers: dict[str, str] | None = None,
        **details: Any,  # noqa: ANN401 - any JSON value
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kept = kept
        self.headers = headers or {}
        fields: Document = {"code": code, "message": message, "param": param, "type": kind, **details}
        if code is not None:
            fields["doc_url"] = f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}"
        self.fields = {name: value for name, value in fields.items() if value is not None}

    @property
    def body(self) -> Document:
        """The JSON body of the answer."""
        return {"error": self.fields}


def refused(
    message: str,
    *,
    code: str | None = None,
    param: str | None = None,
    **details: Any,  # noqa: ANN401
) -> ApiError:
    """A request that makes sense but is not possible now; its answer is kept under the key."""
    return ApiError(400, "invalid_request_error", message, code=code, param=param, **details)


def invalid(message: str, *, code: str | None = None, param: str | None = None) -> ApiError:
    """A parameter that fails validation; nothing is kept."""
    return ApiError(400, "invalid_request_error", message, code=code, param=param, kept=False)


def missing(kind: str, identifier: str, *, param: str = "id") -> ApiError:
    """An object that does not exist: 404 for the one in the path, 400 for one named by a parameter."""
    status = 404 if param == "id" else 400
    message = f"No such {kind}: '{identifier}'"
    return ApiError(status, "invalid_request_error", message, code="resource_missing", param=param)
