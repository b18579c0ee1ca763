"""Lists as Stripe gives them: newest first, filtered, one page at a time; and the expansion of ids."""

from collections.abc import Iterable
from typing import Any

from sandbox.stripe.errors import ApiError, Document, missing, refused
from sandbox.stripe.store import Books, Kind
from sandbox.stripe.world import snapshot

_LARGEST_PAGE = 100
_DEEPEST = 4
_PAGING = frozenset({"limit", "starting_after", "ending_before", "expand", "created"})

_PREFIXES: dict[str, Kind] = {
    "ch": "charge",
    "clock": "test_clock",
    "cus": "customer",
    "dp": "dispute",
    "evt": "event",
    "issfr": "fraud_warning",
    "mandate": "mandate",
    "pi": "payment_intent",
    "pm": "payment_method",
    "re": "refund",
    "seti": "setup_intent",
    "sub": "subscription",
    "txn": "balance_transaction",
}


def page(documents: Iterable[Document], params: Document, url: str) -> Document:
    """One page of `documents` (given oldest first) for Stripe's list parameters.

    Every parameter that isn't about paging is compared with the field of that name.

    Raises:
        ApiError: the limit is out of range or the cursor names nothing.
    """
    limit = params.get("limit", 10)
    if not 1 <= limit <= _LARGEST_PAGE:
        raise refused("Invalid limit: must be between 1 and 100.", param="limit")
    found = [document for document in documents if _fits(document, params)]
    found.reverse()
    if "ending_before" in params:
        before = found[: _index(found, params["ending_before"], "ending_before")]
        shown, more = before[-limit:], len(before) > limit
    else:
        after = (
            found[_index(found, params["starting_after"], "starting_after") + 1 :]
            if ("starting_after" in params)
            else found
        )
        shown, more = after[:limit], len(after) > limit
    return {"object": "list", "data": shown, "has_more": more, "url": url}


def _index(documents: list[Document], identifier: str, param: str) -> int:
    for index, document in enumerate(documents):
        if document["id"] == identifier:
            return index
    raise missing("object", identifier, param=param)


def _fits(document: Document, params: Document) -> bool:
    wanted = {name: value for name, value in params.items() if name not in _PAGING}
    return all(document.get(name) == value for name, value in wanted.items()) and _in_time(
        document, params.get("created")
    )


def _in_time(document: Document, created: int | Document | None) -> bool:
    if created is None:
        return True
    at = document["created"]
    if isinstance(created, int):
        return bool(at == created)
    return bool(
        at > created.get("gt", at - 1)
        and at >= created.get("gte", at)
        and at < created.get("lt", at + 1)
        and at <= created.get("lte", at)
    )


def expand(books: Books, answer: Document, paths: Iterable[str]) -> Document:
    """A copy of `answer` in which the ids at `paths` (`latest_charge`, `data.customer`) are objects.

    Raises:
        ApiError: a path names what cannot be expanded.
    """
    copy: Document = snapshot(answer)
    for path in paths:
        steps = path.split(".")
        if len(steps) > _DEEPEST:
            raise refused(f"You cannot expand more than {_DEEPEST} levels of a property.", param="expand")
        _expand(books, copy, steps, path)
    return copy


def _expand(books: Books, node: Any, steps: list[str], path: str) -> None:  # noqa: ANN401
    if isinstance(node, list):
        for item in node:
            _expand(books, item, steps, path)
        return
    if not isinstance(node, dict) or steps[0] not in node:
        raise _not_expandable(path)
    value = node[steps[0]]
    if isinstance(value, str):
        found = find(books, value)
        if found is None:
            raise _not_expandable(path)
        value = node[steps[0]] = snapshot(found)
    if steps[1:] and value is not None:
        _expand(books, value, steps[1:], path)


def _not_expandable(path: str) -> ApiError:
    return refused(
        f"This property cannot be expanded ({path}). You may want to try expanding a parent, or leave it out.",
        param="expand",
    )


def find(books: Books, identifier: str) -> Document | None:
    """The object that an id of any kind names."""
    kind = _PREFIXES.get(identifier.partition("_")[0])
    return books.get(kind, identifier) if kind else None
