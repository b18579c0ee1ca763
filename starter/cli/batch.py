"""Commands that answer JSON requests from standard input, one line each, without any database."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

from pydantic import ValidationError
from pydantic_core import to_jsonable_python

from billing.errors import InvalidInput, RelanceError
from starter.cli import output


def answer_all(
    lines: Iterable[bytes],
    answer: Callable[[dict[str, object]], object],
    *,
    example: str,
    in_words: Callable[[RelanceError], Mapping[str, object]] = RelanceError.as_dict,
) -> int:
    """Answers each line as it comes, so that a caller may wait for one answer before the next request.

    Args:
        lines: JSON objects, one a line.
        answer: to one of them; refused input raises `InvalidInput` or Pydantic's error, and the next line follows.
        example: of a request, for whoever sends something else.
        in_words: the object that answers a bad line.

    Returns:
        The exit status: 1 if any line was bad.
    """
    status = 0
    for line in lines:
        try:
            written = to_jsonable_python(answer(object_in(line, example=example)))
        except ValidationError as error:
            written, status = in_words(output.invalid_input(error)), output.REFUSED
        except InvalidInput as error:
            written, status = in_words(error), output.REFUSED
        sys.stdout.write(f"{json.dumps(written)}\n")
        sys.stdout.flush()
    return status


def object_in(text: bytes, *, example: str) -> dict[str, object]:
    """The JSON object in a line; numbers with a point are decimals.

    Raises:
        InvalidInput: it is none; `field` is None.
    """
    try:
        request = json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        raise InvalidInput("The line is not JSON. Write one JSON object on each line.") from None
    except ArithmeticError:
        raise InvalidInput("A number in the line is too large or too small to be read.") from None
    if not isinstance(request, dict):
        raise InvalidInput(f"The line is not a JSON object. Write {example}.")
    return request
