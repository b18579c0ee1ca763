"""The mailbox, met as the application meets it: through SendGrid's own SDK, over HTTP."""

from __future__ import annotations

import base64
import http.client
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from python_http_client.exceptions import BadRequestsError, HTTPError, UnauthorizedError
from sendgrid import SendGridAPIClient
from sendgrid.helpers.mail import Attachment, CustomArg, Header, Mail, To
from starlette.applications import Starlette

from sandbox.mailbox.app import create_app
from sandbox.serving import configure


class Running:
    """A mailbox on a free port, in a thread of this process."""

    def __init__(self, app: Starlette) -> None:
        self.server = uvicorn.Server(configure(app, port=0))
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        deadline = time.monotonic() + 10
        while not self.server.started:
            assert time.monotonic() < deadline, "the mailbox did not start"
            time.sleep(0.01)
        self.address = f"http://127.0.0.1:{self.server.servers[0].sockets[0].getsockname()[1]}"
        self.http = httpx.Client(base_url=self.address)
        self.sendgrid = SendGridAPIClient("SG.sandbox", host=self.address)
        self.sendgrid.client.timeout = 5

    def messages(self, **search: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.http.get("/api/messages", params=search).json()["messages"]
        return found

    def stop(self) -> None:
        self.http.close()
        self.server.should_exit = True
        self.thread.join(10)


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    running = Running(create_app())
    yield running
    running.stop()


@pytest.fixture
def mailbox(server: Running) -> Running:
    server.http.delete("/api/messages")
    server.http.delete("/_fake/faults")
    return server


def a_mail(
    to: str = "anna@example.com", subject: str = "Votre facture", kind: str = "invoice_issued"
) -> Mail:
    mail = Mail(
        from_email=("billing@example.com", "Example Billing"),
        to_emails=to,
        subject=subject,
        plain_text_content="58,80 €",
        html_content="<p>58,80 € <a href='https://example.com/pay'>Payer</a></p>",
    )
    mail.custom_arg = [CustomArg("message", "msg_1"), CustomArg("kind", kind)]
    return mail


def test_a_mail_is_taken_and_kept_whole(mailbox: Running) -> None:
    mail = a_mail()
    mail.header = Header("List-Unsubscribe", "<https://example.com/stop>")
    mail.attachment = Attachment(
        file_content=base64.b64encode(b"%PDF-1.7").decode(), file_name="F-1.pdf", file_type="application/pdf"
    )

    answer = mailbox.sendgrid.send(mail)

    assert answer.status_code == 202
    assert answer.body == b""
    (kept,) = mailbox.messages()
    assert kept["message_id"] == answer.headers["X-Message-Id"]
    assert kept["sender"] == {"email": "billing@example.com", "name": "Example Billing"}
    assert kept["to"] == [{"email": "anna@example.com", "name": ""}]
    assert kept["subject"] == "Votre facture"
    assert kept["text"] == "58,80 €"
    assert kept["html"] == "<p>58,80 € <a href='https://example.com/pay'>Payer</a></p>"
    assert kept["custom_args"] == {"message": "msg_1", "kind": "invoice_issued"}
    assert kept["kind"] == "invoice_issued"
    assert kept["headers"] == {"List-Unsubscribe": "<https://example.com/stop>"}
    (file,) = kept["attachments"]
    assert (file["filename"], file["type"], file["size_bytes"]) == ("F-1.pdf", "application/pdf", 8)
    downloaded = mailbox.http.get(f"/api/messages/{kept['id']}/attachments/0")
    assert downloaded.content == b"%PDF-1.7"
    assert downloaded.headers["content-disposition"] == "attachment; filename*=UTF-8''F-1.pdf"
    assert mailbox.http.get(f"/api/messages/{kept['id']}/attachments/1").status_code == 404


def test_several_personalizations_are_several_letters_with_one_message_id(mailbox: Running) -> None:
    mail = a_mail()
    mail.to = To("bruno@example.com", p=1)

    mailbox.sendgrid.send(mail)

    letters = mailbox.messages()
    assert [m["to"][0]["email"] for m in letters] == ["anna@example.com", "bruno@example.com"]
    assert len({m["message_id"] for m in letters}) == 1


def test_programs_search_by_address_and_kind_and_empty_the_box(mailbox: Running) -> None:
    mailbox.sendgrid.send(a_mail(to="anna@example.com", kind="receipt"))
    mailbox.sendgrid.send(a_mail(to="Bruno@example.com", kind="receipt"))
    mailbox.sendgrid.send(a_mail(to="bruno@example.com", kind="last_notice"))

    assert len(mailbox.messages(to="bruno@")) == 2
    assert len(mailbox.messages(kind="receipt")) == 2
    assert len(mailbox.messages(to="bruno@example.com", kind="last_notice")) == 1
    assert mailbox.http.delete("/api/messages").json() == {"deleted": 3}
    assert mailbox.messages() == []


def test_without_a_key_it_is_refused(mailbox: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SENDGRID_API_KEY", raising=False)
    nameless = SendGridAPIClient("", host=mailbox.address)

    with pytest.raises(UnauthorizedError) as refused:
        nameless.send(a_mail())

    assert refused.value.to_dict == {
        "errors": [
            {
                "message": "The provided authorization grant is invalid, expired, or revoked",
                "field": None,
                "help": None,
            }
        ]
    }
    assert mailbox.messages() == []


PERSON: dict[str, Any] = {"to": [{"email": "anna@example.com"}]}
GOOD: dict[str, Any] = {
    "personalizations": [PERSON],
    "from": {"email": "billing@example.com"},
    "subject": "Hello",
    "content": [{"type": "text/plain", "value": "Hello"}],
}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"from": None}, "from.email"),
        ({"from": {"email": "nobody"}}, "from.email"),
        ({"personalizations": []}, "personalizations"),
        ({"personalizations": [{}]}, "personalizations.0.to"),
        ({"personalizations": [{"to": [{"email": "a b@example.com"}]}]}, "personalizations.0.to.0.email"),
        ({"personalizations": [{**PERSON, "cc": [{"email": "ANNA@example.com"}]}]}, "personalizations.0"),
        ({"subject": ""}, "subject"),
        ({"content": []}, "content"),
        ({"content": [{"type": "text/plain", "value": ""}]}, "content.0.value"),
        (
            {"content": [{"type": "text/html", "value": "<p>"}, {"type": "text/plain", "value": "a"}]},
            "content",
        ),
        ({"attachments": [{"filename": "a.pdf", "content": "not base64"}]}, "attachments.0.content"),
        ({"attachments": [{"content": "YQ=="}]}, "attachments.0.filename"),
        ({"headers": {"Reply-To": "x@example.com"}}, "headers"),
        ({"headers": {"X-A": "one\r\ntwo"}}, "headers"),
        ({"custom_args": {"kind": 1}}, "custom_args"),
        ({"custom_args": {"note": "x" * 10_000}}, "custom_args"),
        ({"categories": ["a", "a"]}, "categories"),
        ({"sandbox": True}, "sandbox"),
    ],
)
def test_what_sendgrid_refuses_is_refused_with_its_field(
    mailbox: Running, change: dict[str, Any], field: str
) -> None:
    with pytest.raises(BadRequestsError) as refused:
        mailbox.sendgrid.client.mail.send.post(request_body={**GOOD, **change})

    assert [error["field"] for error in refused.value.to_dict["errors"]] == [field]
    assert mailbox.messages() == []


def test_not_json_too_big_and_another_content_type_are_refused(mailbox: Running) -> None:
    key = {"Authorization": "Bearer SG.sandbox"}
    json_type = {**key, "Content-Type": "application/json"}

    assert mailbox.http.post("/v3/mail/send", content=b"{", headers=json_type).status_code == 400
    assert mailbox.http.post("/v3/mail/send", content=b"[]", headers=json_type).status_code == 400
    assert mailbox.http.post("/v3/mail/send", data={"to": "x"}, headers=key).status_code == 415
    big = b" " * (30 * 1024 * 1024 + 1)
    assert mailbox.http.post("/v3/mail/send", content=big, headers=json_type).status_code == 413


def test_a_status_on_demand_takes_no_mail_and_passes(mailbox: Running) -> None:
    mailbox.http.post("/_fake/faults", json={"times": 2, "status": 503}).raise_for_status()

    for _ in range(2):
        with pytest.raises(HTTPError) as refused:
            mailbox.sendgrid.send(a_mail())
        assert refused.value.status_code == 503

    assert mailbox.sendgrid.send(a_mail()).status_code == 202
    assert len(mailbox.messages()) == 1


def test_a_lost_answer_leaves_the_mail_taken(mailbox: Running) -> None:
    mailbox.http.post("/_fake/faults", json={"drop_response": True}).raise_for_status()

    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        mailbox.sendgrid.send(a_mail())

    assert len(mailbox.messages()) == 1
    assert mailbox.http.get("/_fake/faults").json() == {"faults": []}


def test_a_delay_outlives_the_caller_s_time_out(mailbox: Running) -> None:
    mailbox.http.post("/_fake/faults", json={"delay_seconds": 1, "status": 500}).raise_for_status()
    hasty = SendGridAPIClient("SG.sandbox", host=mailbox.address)
    hasty.client.timeout = 0.2

    with pytest.raises(TimeoutError):
        hasty.send(a_mail())


@pytest.mark.parametrize(
    "wrong", [{}, {"status": 200}, {"status": 500, "drop_response": True}, {"times": 0, "status": 500}]
)
def test_a_fault_that_makes_no_sense_is_refused(mailbox: Running, wrong: dict[str, object]) -> None:
    answer = mailbox.http.post("/_fake/faults", json=wrong)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_the_list_shows_newest_first_escaped_and_searchable(mailbox: Running) -> None:
    mailbox.sendgrid.send(a_mail(to="anna@example.com", subject="First <script>alert(1)</script>"))
    later = a_mail(to="bruno@example.com", subject="Second", kind="receipt")
    later.custom_arg = CustomArg("as_of", "2027-02-03T09:00:00+00:00")
    mailbox.sendgrid.send(later)

    page = mailbox.http.get("/").text

    assert page.index("Second") < page.index("First")
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "2027-02-03 09:00" in page
    assert "First" not in mailbox.http.get("/", params={"to": "bruno"}).text
    assert "None of 2 mails matches" in mailbox.http.get("/", params={"to": "carla"}).text
    assert "http://" not in page
    assert "https://" not in page


def test_a_letter_is_shown_in_a_locked_frame_as_text_and_with_its_particulars(mailbox: Running) -> None:
    mailbox.sendgrid.send(a_mail())
    letter_id = mailbox.messages()[0]["id"]

    shown = mailbox.http.get(f"/messages/{letter_id}").text
    frame = mailbox.http.get(f"/messages/{letter_id}/html")
    text = mailbox.http.get(f"/messages/{letter_id}", params={"view": "text"}).text
    details = mailbox.http.get(f"/messages/{letter_id}", params={"view": "details"}).text

    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in shown
    assert f'src="/messages/{letter_id}/html"' in shown
    assert "Payer" not in shown
    assert frame.text.endswith("<p>58,80 € <a href='https://example.com/pay'>Payer</a></p>")
    assert frame.headers["content-security-policy"].startswith("sandbox allow-popups ")
    assert "<pre>58,80 €</pre>" in text
    assert "msg_1" in details
    assert mailbox.http.get("/messages/unknown").status_code == 404


def test_a_stranger_s_host_name_is_refused(mailbox: Running) -> None:
    assert mailbox.http.get("/", headers={"Host": "evil.example"}).status_code == 400


def test_letters_in_a_file_outlive_the_process(tmp_path: Path) -> None:
    file = tmp_path / "mails.jsonl"
    first = Running(create_app(file))
    first.sendgrid.send(a_mail())
    first.stop()

    second = Running(create_app(file))
    assert [m["subject"] for m in second.messages()] == ["Votre facture"]
    second.http.delete("/api/messages")
    second.stop()
    assert not file.exists()
