import json
import re
from dataclasses import asdict
from email.message import EmailMessage
from pathlib import Path

from django.conf import settings

from lending.messaging import Message


class OutboxBackend:
    """Writes to a folder: a readable file per message (.eml for e-mail), and a line in messages.jsonl.

    Letters come out here too, ready to be printed. The same key writes the same file again.
    """

    def send(self, message: Message) -> None:
        folder = Path(settings.OUTBOX_DIR)
        folder.mkdir(parents=True, exist_ok=True)
        suffix = "eml" if message.channel == "EMAIL" else "txt"
        (folder / f"{_file_name(message.key)}.{suffix}").write_bytes(_readable(message))
        # One write of one line: lines of several workers do not mix.
        with (folder / "messages.jsonl").open("ab", buffering=0) as log:
            log.write((json.dumps(asdict(message), ensure_ascii=False) + "\n").encode())


def _file_name(key: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", key).strip(".-")


def _readable(message: Message) -> bytes:
    if message.channel == "EMAIL":
        letter = EmailMessage()
        letter["From"], letter["To"] = settings.DEFAULT_FROM_EMAIL, message.to
        letter["Subject"] = message.subject
        letter.set_content(message.text, cte="8bit")
        return letter.as_bytes()
    return f"To: {message.to}\n{message.subject}\n\n{message.text}\n".encode()
