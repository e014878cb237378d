"""The mail sink: nothing is lost in it, and nothing that comes twice goes unnoticed."""

import signal
import smtplib
import subprocess
import sys
from pathlib import Path

import pytest

from shared.local import mailsink
from shared.local.mailsink import BYTES_MAX, MailSink, message_ids

FROM, TO = "billing@colophon.example", ["marlene@nordlicht.example"]


def send(sink: MailSink, *mails: bytes) -> None:
    with smtplib.SMTP(sink.host, sink.port, local_hostname="test.invalid") as smtp:
        for mail in mails:
            smtp.sendmail(FROM, TO, mail)


def mail(message_id: str, text: str = "Guten Tag") -> bytes:
    return f"Message-ID: <{message_id}>\r\n\r\n{text}\r\n".encode()


def test_every_mail_is_a_file_and_every_repetition_another(tmp_path: Path) -> None:
    with MailSink(tmp_path) as sink:
        send(sink, mail("1@a.example"), mail("2@a.example"), mail("1@a.example"))

        assert sink.copies == {"1@a.example": 2, "2@a.example": 1}

    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "1@a.example.eml",
        "1@a.example~2.eml",
        "2@a.example.eml",
    ]
    assert message_ids(tmp_path) == {"1@a.example": 2, "2@a.example": 1}


def test_a_sink_started_again_goes_on_counting(tmp_path: Path) -> None:
    with MailSink(tmp_path) as sink:
        send(sink, mail("1@a.example"))
    with MailSink(tmp_path, port=sink.port) as again:
        send(again, mail("1@a.example"))

        assert again.copies == {"1@a.example": 2}
        assert again.port == sink.port


@pytest.mark.parametrize("message_id", ["../../escape@a.example", ".hidden@a.example", "x" * 400])
def test_no_message_id_leads_out_of_the_directory(tmp_path: Path, message_id: str) -> None:
    with MailSink(tmp_path / "mails") as sink:
        send(sink, mail(message_id))

        assert sink.copies == {message_id: 1}

    assert [file.parent for file in tmp_path.rglob("*.eml")] == [tmp_path / "mails"]


def test_a_mail_without_id_is_counted_by_its_content(tmp_path: Path) -> None:
    with MailSink(tmp_path) as sink:
        send(sink, b"Subject: x\r\n\r\n.\r\n", b"Subject: x\r\n\r\n.\r\n", b"\r\n")

        assert sorted(sink.copies.values()) == [1, 2]


def test_lines_of_dots_come_through(tmp_path: Path) -> None:
    content = mail("1@a.example", ".\r\n..\r\n...\r\nend.\r\n.")
    with MailSink(tmp_path) as sink:
        send(sink, content)

    assert (tmp_path / "1@a.example.eml").read_bytes() == content


def test_too_large_a_mail_is_refused(tmp_path: Path) -> None:
    with (
        MailSink(tmp_path) as sink,
        pytest.raises((smtplib.SMTPSenderRefused, smtplib.SMTPDataError)) as refusal,
    ):
        send(sink, mail("1@a.example", "x" * BYTES_MAX))

    assert refusal.value.smtp_code == 552


def test_commands_out_of_order_are_refused_as_a_real_server_would(tmp_path: Path) -> None:
    with (
        MailSink(tmp_path) as sink,
        smtplib.SMTP(sink.host, sink.port, local_hostname="test.invalid") as smtp,
    ):
        smtp.ehlo()

        assert smtp.docmd("DATA")[0] == 503
        assert smtp.docmd("DATA", "now")[0] == 501


def test_it_stops_with_a_client_still_connected_and_twice_is_once(tmp_path: Path) -> None:
    sink = MailSink(tmp_path).start()
    client = smtplib.SMTP(sink.host, sink.port, local_hostname="test.invalid")

    sink.stop()
    sink.stop()

    with pytest.raises(smtplib.SMTPServerDisconnected):
        client.noop()
    client.close()


def test_it_runs_as_a_program_until_told_to_stop(tmp_path: Path) -> None:
    command = [sys.executable, "-m", mailsink.__name__, str(tmp_path), "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        port = int(program.stdout.readline().split(",")[0].rpartition(":")[2])
        with smtplib.SMTP("127.0.0.1", port, local_hostname="test.invalid") as smtp:
            smtp.sendmail(FROM, TO, mail("1@a.example"))
        program.send_signal(signal.SIGTERM)

        assert program.wait(10) == 0

    assert message_ids(tmp_path) == {"1@a.example": 1}


def test_wrong_use_says_how(capsys: pytest.CaptureFixture[str]) -> None:
    assert mailsink.main(["here", "no port"]) == 2
    assert "usage" in capsys.readouterr().err
