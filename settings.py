"""Every knob of Relance: its variable, its unit, its default. Read once, at start, from the environment.

Where a value comes from, the first that has it wins:

1. the process environment;
2. the file `.env` in the working directory;
3. the file `.sandbox/env`, while a sandbox runs there **and** neither of the former says which database,
   Temporal or Stripe to use. So in a second terminal `relance` finds the sandbox by itself, and a live
   configuration is never mixed with the sandbox's.

`Settings(...)` built directly reads nothing but its arguments, which is what tests want.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import os
import re
from collections.abc import Mapping
from decimal import Decimal
from email.utils import parseaddr
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import AliasGenerator, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict
from typing_extensions import override

from billing.errors import RelanceError
from billing.mandates import NOTICE_DAYS, SCHEME_NOTICE_DAYS

if TYPE_CHECKING:
    from temporalio.envconfig import ClientConnectConfig

PREFIX: Final = "RELANCE_"
_UNPREFIXED: Final = frozenset(
    {
        "database_url",
        "temporal_address",
        "temporal_namespace",
        "temporal_api_key",
        "stripe_api_key",
        "stripe_api_base",
        "stripe_webhook_secret",
        "sendgrid_api_key",
        "sendgrid_api_base",
        "mail_from",
        "public_url",
        "secret_key",
        "encryption_keys",
    }
)
_OF_THE_SANDBOX: Final = f"{PREFIX}SANDBOX_"
"""What its variables begin with: not ours to judge."""

_ORIGIN: Final = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?")
_COLOUR: Final = re.compile(r"#[0-9a-fA-F]{6}")
_LEAST_CONTRAST: Final = 4.5
"""Of text to what is behind it (WCAG 2.2, 1.4.3)."""

_SAYS_WHERE: Final = ("DATABASE_URL", "TEMPORAL_ADDRESS", "STRIPE_API_KEY")

STRIPE: Final = "https://api.stripe.com"
SENDGRID: Final = "https://api.sendgrid.com"
_LIVE_KEYS: Final = ("sk_live_", "rk_live_")
VIES: Final = "https://ec.europa.eu/taxation_customs/vies/rest-api"

STRIPE_MINIMUM_MINOR: Final[Mapping[str, int]] = {
    "AED": 200, "AUD": 50, "BRL": 50, "CAD": 50, "CHF": 50, "CZK": 1500, "DKK": 250, "EUR": 50, "GBP": 30,
    "HKD": 400, "HUF": 17500, "INR": 50, "JPY": 50, "MXN": 1000, "MYR": 200, "NOK": 300, "NZD": 50,
    "PLN": 200, "RON": 200, "SEK": 300, "SGD": 50, "THB": 1000, "USD": 50,
    "BHD": 10, "JOD": 10, "KWD": 10, "MGA": 100, "OMR": 10, "TND": 10,
}  # fmt: skip
"""The least that Stripe charges, in minor units of each currency; of the last six it takes whole steps only."""

Needed = Literal["stripe_api_key", "sendgrid_api_key", "mail_from", "secret_key", "stripe_webhook_secret"]

_HOW_TO_GET: Final[Mapping[Needed, str]] = {
    "stripe_api_key": "a secret key from Stripe's dashboard, Developers, API keys (sk_test_... to try)",
    "sendgrid_api_key": "a key from SendGrid, Settings, API Keys, with the permission Mail Send",
    "mail_from": "the sender of mails, like 'Example Billing <billing@example.com>', verified at SendGrid",
    "secret_key": "at least 32 random characters, for example from: python -c 'import secrets; "
    "print(secrets.token_urlsafe(48))'",
    "stripe_webhook_secret": "the signing secret (whsec_...) of the webhook endpoint in Stripe's dashboard",
}


class SettingsProblem(RelanceError):
    """A setting is missing or wrong. `field` is the variable's name, the message says how to fix it."""


def variable(field: str) -> str:
    """The environment variable of a field: `payments_per_second` is `RELANCE_PAYMENTS_PER_SECOND`."""
    return field.upper() if field in _UNPREFIXED else f"{PREFIX}{field.upper()}"


def _words(raw: object) -> object:
    return tuple(w.strip() for w in raw.split(",") if w.strip()) if isinstance(raw, str) else raw


class Settings(BaseSettings):
    """The configuration of every process of Relance. Immutable."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        validate_by_name=True,
        validate_by_alias=True,
        alias_generator=AliasGenerator(validation_alias=variable),
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
    )

    # Where things are

    database_url: str = Field(default="sqlite+aiosqlite:///relance.db", repr=False)
    """Database of the books: `postgresql://user:password@host/name`, or `sqlite:///file.db` for a sandbox."""

    temporal_address: str = "127.0.0.1:7233"
    """Temporal's frontend, host:port."""

    temporal_namespace: str = "default"
    """Temporal namespace."""

    temporal_api_key: SecretStr | None = None
    """API key of Temporal Cloud; turns TLS on."""

    stripe_api_key: SecretStr | None = None
    """Stripe's secret key. Needed by whatever talks to Stripe, which is first of all the worker."""

    stripe_api_base: str = STRIPE
    """Where Stripe's API is; the sandbox's fake otherwise. A live key goes nowhere but to Stripe."""

    stripe_webhook_secret: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    """Signing secrets of incoming webhooks, separated by commas: any of them is accepted, for rotation."""

    sendgrid_api_key: SecretStr | None = None
    """SendGrid's API key. Needed by the worker."""

    sendgrid_api_base: str = SENDGRID
    """Where SendGrid's API is; the sandbox's mailbox otherwise."""

    mail_from: str | None = None
    """Sender of mails for a legal entity that names none: an address, or `Name <address>`."""

    public_url: str = "http://127.0.0.1:8000"
    """Where customers reach the HTTP door: the start of every link in a mail. Without a slash at the end."""

    secret_key: SecretStr | None = None
    """Signs links and sessions: at least 32 characters. Needed by what makes or reads them."""

    encryption_keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    """Keys for what Temporal stores: base64 of 32 bytes each, separated by commas. The first encrypts, all
    decrypt, for rotation. Empty: not encrypted."""

    # Work

    task_queue: str = Field(default="relance", min_length=1)
    """Task queue of workflows and of all activities but charges."""

    payments_task_queue: str = Field(default="relance-payments", min_length=1)
    """Task queue of what talks to Stripe (engine 26)."""

    payments_per_second: float = Field(default=12.0, gt=0, le=100)
    """Most calls per second that all workers together take from the payments queue (engine 26)."""

    workflow_cache: int = Field(default=300, ge=1)
    """Workflows kept in a worker's memory. Never 0: local activities would repeat endlessly (engine 25)."""

    build_id: str = Field(default="dev", min_length=1, max_length=255)
    """Name of the code that runs: what `relance ops recycle --older-than` compares."""

    http_port: int = Field(default=8000, ge=1, le=65535)
    """Port on which the sandbox and Docker Compose open the HTTP door: the API, webhooks and the pay page."""

    reconcile_minutes: int = Field(default=15, ge=1, le=1440)
    """Minutes between two readings of Stripe's list of events, which finds webhooks that were missed."""

    # Rules that a seller may choose

    boundary_window_minutes: int = Field(default=240, ge=0, le=1440)
    """Renewals of one instant are spread over this many minutes, each subscription at its own place in them
    (engine 23). 0 in the sandbox."""

    catch_up_limit: int = Field(default=2, ge=1, le=120)
    """Periods that may be due at once before the subscription parks and asks a person (rules 4)."""

    promise_days: int = Field(default=30, ge=1, le=365)
    """How many days ahead a customer may promise to pay (rules 25)."""

    sepa_notice_days: int = Field(default=NOTICE_DAYS, ge=1, le=SCHEME_NOTICE_DAYS)
    """Calendar days before a SEPA debit at which its payer is told, for mandates given from now on (rules 28). No more
    than your mandate text agrees to: 14 where it says nothing; the text that Stripe shows says 2."""

    sepa_access_when_settled: bool = False
    """Whether a sign-up paid by SEPA debit begins when the money has come, days later, and not when the bank has the
    order."""

    gated_hours: int = Field(default=23, ge=1, le=23)
    """Hours in which a gated invoice must be paid before its draft is dropped (rules 13). Stripe keeps an
    idempotency key for 24."""

    access_grace_hours: int = Field(default=24, ge=0, le=24 * 31)
    """Hours after the end of a period and its window for which `access_until` promises access (rules 19)."""

    unpaid_cancel_days: int = Field(default=90, ge=0, le=3660)
    """Days after which an unpaid subscription is cancelled; 0 is never (rules U10)."""

    usage_wait_hours: int = Field(default=24, ge=0, le=144)
    """Hours that a period's invoice waits for late usage of the period before. Less than a week, the shortest period.
    Subscriptions keep what they started with."""

    minimum_charge_minor: Annotated[dict[str, int], NoDecode] = Field(
        default_factory=lambda: dict(STRIPE_MINIMUM_MINOR)
    )
    """Least amount that is charged, in minor units per currency, as `EUR=50,USD=50`; what is not named keeps
    Stripe's own minimum (rules 10)."""

    small_difference: Decimal = Field(default=Decimal("1.00"), ge=0, le=100)
    """What a transfer may be short of and pays its invoice all the same, in major units of its currency (rules 17)."""

    interest_rates: Path | None = None
    """CSV file that replaces our table of interest rates on late payment; docs/transfers.md says what is in it."""

    # Taxes

    vat_rates: Path | None = None
    """CSV file that replaces our table of VAT rates, with the columns of `billing/vat_rates.csv`."""

    vies: Literal["off", "on"] = "off"
    """Whether VAT numbers are looked up in the Commission's register. Off, their check digits decide."""

    vies_api_base: str = VIES
    """Where that register is."""

    vat_number_days: int = Field(default=30, ge=0, le=366)
    """Days for which the register's last answer holds while it does not answer."""

    exchange_rate_days: int = Field(default=7, ge=1, le=31)
    """How many days old an exchange rate may be on an invoice in another currency than EUR."""

    # Documents

    documents_folder: Path | None = None
    """Folder with a seller's own `logo.svg` or `logo.png`, `template.typ` and `fonts/`, in place of ours."""

    # The portal

    portal_return_urls: Annotated[tuple[str, ...], NoDecode] = ()
    """Addresses to which customers may be led back from the portal, separated by commas: `https://app.example.com/` and
    everything below it."""

    portal_frame_ancestors: Annotated[tuple[str, ...], NoDecode] = ()
    """Origins whose pages may embed the portal, separated by commas: `https://app.example.com`. Empty: none."""

    portal_accent: str = "#0d47a1"
    """Colour of the portal's links and buttons, as `#rrggbb`: dark enough for white text on it (WCAG 2.2 AA)."""

    portal_logo: Path | None = None
    """The seller's logo on the portal's pages: an SVG or PNG file. Without one its name stands there."""

    portal_pause: Literal["off", "on"] = "off"
    """Whether customers may pause their subscription by themselves."""

    trusted_proxies: int = Field(default=0, ge=0, le=10)
    """How many proxies of yours stand before the HTTP door, each adding to `X-Forwarded-For` who came to it. The
    termination page counts requests by that address; with 0 by the one that connects, so that behind a proxy all
    visitors would share one limit."""

    # Test clocks and the sandbox

    clock_peers: Annotated[tuple[str, ...], NoDecode] = ()
    """Addresses, separated by commas, of what moves along with test clocks (engine 24): the fake Stripe."""

    sendgrid_webhook_keys: Annotated[tuple[str, ...], NoDecode] = ()
    """Public keys of SendGrid's signed event webhook, separated by commas; without one it is refused."""

    private_webhook_addresses: bool = False
    """Whether events may be sent to this machine and its private network. The sandbox allows it."""

    webhook_log_days: int = Field(default=30, ge=0, le=3660)
    """Days for which the log of deliveries to webhook endpoints is kept; 0 is for ever. What is still to be sent, or
    was given up, stays in it."""

    sandbox: Path | None = None
    """Folder of the running sandbox that this configuration belongs to. The sandbox sets it, nobody else."""

    @classmethod
    @override
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments only; `load_settings` is what reads the environment."""
        return (init_settings,)

    @field_validator(
        "stripe_webhook_secret",
        "encryption_keys",
        "clock_peers",
        "sendgrid_webhook_keys",
        "portal_return_urls",
        "portal_frame_ancestors",
        mode="before",
    )
    @classmethod
    def _split(cls, raw: object) -> object:
        return _words(raw)

    @field_validator("minimum_charge_minor", mode="before")
    @classmethod
    def _minimums(cls, raw: object) -> object:
        if isinstance(raw, str):
            pairs = [word.partition("=") for word in raw.split(",") if word.strip()]
            if not all(is_pair for _, is_pair, _ in pairs):
                raise ValueError("write it as EUR=50,USD=50")
            raw = {currency.strip().upper(): amount.strip() for currency, _, amount in pairs}
        return {**STRIPE_MINIMUM_MINOR, **raw} if isinstance(raw, Mapping) else raw

    @field_validator("minimum_charge_minor")
    @classmethod
    def _minimums_make_sense(cls, minimums: dict[str, int]) -> dict[str, int]:
        for currency, amount in minimums.items():
            if len(currency) != 3 or not currency.isalpha() or not currency.isupper():  # noqa: PLR2004
                raise ValueError(f"{currency} is no currency code; write it as EUR=50,USD=50")
            if amount < 0:
                raise ValueError(f"the minimum of {currency} is negative; use 0 for none")
        return minimums

    @field_validator("database_url")
    @classmethod
    def _async_driver(cls, url: str) -> str:
        scheme, separator, rest = url.partition("://")
        drivers = {
            "sqlite": "sqlite+aiosqlite",
            "sqlite+aiosqlite": "sqlite+aiosqlite",
            "postgres": "postgresql+psycopg",
            "postgresql": "postgresql+psycopg",
            "postgresql+psycopg": "postgresql+psycopg",
        }
        if not separator or scheme not in drivers:
            raise ValueError("use postgresql://user:password@host/name or sqlite:///file.db")
        return f"{drivers[scheme]}://{rest}"

    @field_validator("temporal_address")
    @classmethod
    def _host_and_port(cls, address: str) -> str:
        host, _, port = address.rpartition(":")
        if not host or "/" in host or not port.isdecimal():
            raise ValueError("use host:port without http://, for example 127.0.0.1:7233")
        return address

    @field_validator("stripe_api_base", "sendgrid_api_base", "public_url", "vies_api_base")
    @classmethod
    def _address(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("use an address like https://billing.example.com")
        return url.rstrip("/")

    @field_validator("clock_peers")
    @classmethod
    def _addresses(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(cls._address(url) for url in urls)

    @field_validator("portal_return_urls")
    @classmethod
    def _prefixes(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(f"{cls._address(url)}/" for url in urls)

    @field_validator("portal_frame_ancestors")
    @classmethod
    def _origins(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        for url in urls:
            if cls._address(url) != url or not _ORIGIN.fullmatch(url):
                raise ValueError("use origins like https://app.example.com, without a path")
        return urls

    @field_validator("portal_accent")
    @classmethod
    def _readable(cls, colour: str) -> str:
        if not _COLOUR.fullmatch(colour):
            raise ValueError("write it as #0d47a1")
        channels = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
        light = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]  # noqa: PLR2004
        luminance = 0.2126 * light[0] + 0.7152 * light[1] + 0.0722 * light[2]
        if 1.05 / (luminance + 0.05) < _LEAST_CONTRAST:
            raise ValueError("white text on it would be hard to read; take a darker colour")
        return colour

    @field_validator("portal_logo")
    @classmethod
    def _picture(cls, logo: Path | None) -> Path | None:
        if logo is not None and (logo.suffix not in {".svg", ".png"} or not logo.is_file()):
            raise ValueError("name an SVG or PNG file that is there")
        return logo

    @field_validator("mail_from")
    @classmethod
    def _sender(cls, sender: str | None) -> str | None:
        if sender is not None:
            local, at, domain = parseaddr(sender)[1].rpartition("@")
            if not (local and at and domain):
                raise ValueError("use billing@example.com or 'Example Billing <billing@example.com>'")
        return sender

    @field_validator("secret_key")
    @classmethod
    def _long_enough(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and len(key.get_secret_value()) < 32:  # noqa: PLR2004
            raise ValueError("too short: at least 32 random characters")
        return key

    @field_validator("encryption_keys")
    @classmethod
    def _thirty_two_bytes(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for key in keys:
            try:
                size = len(base64.b64decode(key.get_secret_value(), altchars=b"-_", validate=True))
            except binascii.Error:
                size = 0
            if size != 32:  # noqa: PLR2004
                raise ValueError("each key is base64 of 32 bytes, for example from: openssl rand -base64 32")
        return keys

    @model_validator(mode="after")
    def _live_key_goes_to_stripe_only(self) -> Settings:
        if self.is_live and self.stripe_api_base != STRIPE:
            raise ValueError(
                f"STRIPE_API_BASE is not Stripe's while STRIPE_API_KEY is a live key: unset STRIPE_API_BASE "
                f"(it is {STRIPE} then) or use a test key"
            )
        return self

    @property
    def is_live(self) -> bool:
        """Whether business is real: the key of the payment provider is a live one."""
        key = self.stripe_api_key.get_secret_value() if self.stripe_api_key else ""
        return key.startswith(_LIVE_KEYS)

    def need(self, *names: Needed, to: str) -> None:
        """Checks that what an undertaking needs is set.

        Args:
            names: fields that must not be empty.
            to: what for, after "to": "run the worker".

        Raises:
            SettingsProblem: one or more are empty; names all of them, each with where to get it.
        """
        missing = [name for name in names if not getattr(self, name)]
        if missing:
            names_said = " and ".join(map(variable, missing))
            listed = "; ".join(f"{variable(name)}: {_HOW_TO_GET[name]}" for name in missing)
            raise SettingsProblem(
                f"Set {names_said} in the environment or in .env to {to}. {listed}.",
                field=variable(missing[0]),
            )

    def reveal(self, name: Literal["stripe_api_key", "sendgrid_api_key", "secret_key"], *, to: str) -> str:
        """The plain text of a secret.

        Raises:
            SettingsProblem: it is not set.
        """
        self.need(name, to=to)
        secret: SecretStr = getattr(self, name)
        return secret.get_secret_value()

    def webhook_secrets(self) -> tuple[str, ...]:
        """The secrets by any of which an incoming Stripe webhook may be signed.

        Raises:
            SettingsProblem: there is none.
        """
        self.need("stripe_webhook_secret", to="take Stripe's webhooks")
        return tuple(secret.get_secret_value() for secret in self.stripe_webhook_secret)


def load_settings(folder: Path | None = None, *, environ: Mapping[str, str] | None = None) -> Settings:
    """Reads and checks the configuration.

    Args:
        folder: where `.env` and `.sandbox` are looked for; the working directory by default.
        environ: the environment; this process's by default.

    Raises:
        SettingsProblem: a variable is wrong or unknown; the message names it and the remedy.
    """
    found = _gather(folder or Path(), os.environ if environ is None else environ)
    known = {variable(name) for name in Settings.model_fields}
    for name in found:
        if name.startswith(PREFIX) and name not in known and not name.startswith(_OF_THE_SANDBOX):
            raise _unknown(name, known)
    given: dict[str, Any] = {name: value for name, value in found.items() if name in known and value != ""}
    try:
        return Settings(**given)
    except ValidationError as problem:
        raise _as_settings_problem(problem) from None


def connect_config(settings: Settings, *, environ: Mapping[str, str] | None = None) -> ClientConnectConfig:
    """Keyword arguments for `temporalio.client.Client.connect`.

    Temporal's own environment configuration is read first (its file and all `TEMPORAL_*` variables of the
    process, TLS included); what our settings were given goes before it, our defaults come last. In a
    sandbox only our settings count.

    Raises:
        SettingsProblem: Temporal's configuration cannot be read.
    """
    from temporalio.envconfig import ClientConfigProfile  # slow, and most commands never connect

    outside = os.environ if environ is None else environ
    variables = {} if settings.sandbox else dict(outside)
    for field in ("temporal_address", "temporal_namespace"):
        if field in settings.model_fields_set:
            variables[variable(field)] = getattr(settings, field)
    if settings.temporal_api_key is not None:
        variables["TEMPORAL_API_KEY"] = settings.temporal_api_key.get_secret_value()
    try:
        profile = ClientConfigProfile.load(override_env_vars=variables, disable_file=bool(settings.sandbox))
    except (RuntimeError, ValueError) as problem:
        said = " ".join(str(problem).split())
        raise SettingsProblem(
            f"Temporal's own configuration cannot be read: {said}. Look at TEMPORAL_CONFIG_FILE and "
            f"TEMPORAL_PROFILE.",
            field="TEMPORAL_CONFIG_FILE",
        ) from None
    config = profile.to_client_connect_config()
    config.setdefault("target_host", settings.temporal_address)
    config.setdefault("namespace", settings.temporal_namespace)
    return config


def sandbox_runs_in(folder: Path) -> bool:
    """Whether a sandbox runs whose folder (`.sandbox`) is `folder`: it holds a lock there while it lives."""
    lock = folder / "lock"
    if not lock.exists():
        return False
    import fcntl

    with lock.open("rb") as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def _gather(folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    if environ.get("RELANCE_SANDBOX"):
        return dict(environ)  # a child of the sandbox was told everything; a file must not add to it
    own = {**_file(folder / ".env"), **environ}
    sandbox = folder / ".sandbox"
    if not any(own.get(name) for name in _SAYS_WHERE) and sandbox_runs_in(sandbox):
        elsewhere = {variable(field) for field in _UNPREFIXED}
        return {**{k: v for k, v in own.items() if k not in elsewhere}, **_file(sandbox / "env")}
    return own


def _file(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    values = dotenv_values(path, interpolate=False)
    return {name: value for name, value in values.items() if value is not None}


def _unknown(name: str, known: set[str]) -> SettingsProblem:
    similar = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean {similar[0]}?" if similar else "Unset it; docs list the variables that exist."
    return SettingsProblem(f"{name} is no setting of Relance. {hint}", field=name)


def _as_settings_problem(problem: ValidationError) -> SettingsProblem:
    first = problem.errors(include_url=False, include_input=False)[0]
    said = first["msg"].removeprefix("Value error, ")
    if not first["loc"]:
        return SettingsProblem(f"{said}.", field=said.split(" ", 1)[0])
    name = str(first["loc"][0])
    field = next(f for f in Settings.model_fields if variable(f) == name)
    default = Settings.model_fields[field].default
    usual = f" The default is {default}." if isinstance(default, int | float) and default else ""
    said = said if said[:2].isupper() else said[0].lower() + said[1:]
    return SettingsProblem(f"{name} is wrong: {said}.{usual}", field=name)
