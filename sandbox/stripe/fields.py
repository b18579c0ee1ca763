"""Fields that many objects share: metadata, amounts and currencies."""

from sandbox.stripe.errors import Document, invalid

_MOST_KEYS, _LONGEST_KEY, _LONGEST_VALUE = 50, 40, 500
_LARGEST_AMOUNT = 99_999_999

# The smallest charge in minor units, by settlement in the currency itself (https://docs.stripe.com/currencies).
_MINIMUM = {
    "aed": 200,
    "bgn": 100,
    "czk": 1500,
    "dkk": 250,
    "gbp": 30,
    "hkd": 400,
    "huf": 17500,
    "inr": 50,
    "mxn": 1000,
    "myr": 200,
    "nok": 300,
    "pln": 200,
    "ron": 200,
    "sek": 300,
    "thb": 1000,
}
_FIFTY = frozenset({"aud", "brl", "cad", "chf", "eur", "jpy", "nzd", "sgd", "usd"})
_OTHERS = frozenset(
    {"ars", "bhd", "clp", "cny", "cop", "egp", "idr", "ils", "isk", "jod", "kes", "krw", "kwd", "mad", "ngn"}
    | {
        "omr",
        "pen",
        "php",
        "qar",
        "rsd",
        "sar",
        "tnd",
        "try",
        "twd",
        "uah",
        "vnd",
        "xaf",
        "xof",
        "xpf",
        "zar",
    }
)


def check_amount(amount: int, currency: str) -> None:
    """Refuse an amount that Stripe would not charge.

    Raises:
        ApiError: not positive, below the currency's minimum, or too large; or an unknown currency.
    """
    if currency.lower() not in _FIFTY | _OTHERS | _MINIMUM.keys():
        raise invalid(f"Invalid currency: {currency}.", code="invalid_currency", param="currency")
    if amount < 1:
        raise invalid(
            "This value must be greater than or equal to 1.", code="parameter_invalid_integer", param="amount"
        )
    minimum = _MINIMUM.get(currency.lower(), 50)
    if amount < minimum:
        raise invalid(
            f"Amount must be no less than {minimum} in the smallest unit of {currency.lower()}.",
            code="amount_too_small",
            param="amount",
        )
    if amount > _LARGEST_AMOUNT:
        raise invalid(
            f"Amount must be no more than {_LARGEST_AMOUNT}.", code="amount_too_large", param="amount"
        )


def new_metadata(params: Document) -> dict[str, str]:
    """The metadata of a new object."""
    fresh: Document = {"metadata": {}}
    merge_metadata(fresh, params)
    metadata: dict[str, str] = fresh["metadata"]
    return metadata


def merge_metadata(document: Document, params: Document) -> None:
    """Change metadata as Stripe does: keys are merged, an empty value removes its key, "" removes all.

    Raises:
        ApiError: too many keys, or a key or value too long.
    """
    if "metadata" not in params:
        return
    changes = params["metadata"]
    merged = {} if changes == "" else {**document["metadata"], **changes}
    merged = {key: value for key, value in merged.items() if value != ""}
    if len(merged) > _MOST_KEYS:
        raise invalid(f"Metadata can hold at most {_MOST_KEYS} keys.", param="metadata")
    for key, value in merged.items():
        if len(key) > _LONGEST_KEY or len(value) > _LONGEST_VALUE:
            raise invalid(
                f"Metadata keys have at most {_LONGEST_KEY} characters, values at most {_LONGEST_VALUE}.",
                param=f"metadata[{key}]",
            )
    document["metadata"] = merged
