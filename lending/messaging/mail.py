import re
import smtplib

from django.conf import settings
from django.core.mail import EmailMessage, get_connection

from lending.messaging import Message, NotSent


class MailBackend:
    """Hands e-mail to Django's own mail (settings.EMAIL_BACKEND and EMAIL_HOST: SMTP in production)."""

    def send(self, message: Message) -> None:
        letter = EmailMessage(
            subject=message.subject,
            body=message.text,
            to=[message.to],
            headers={"Message-ID": _message_id(message.key)},
            connection=get_connection(timeout=15),
        )
        try:
            letter.send()
        except smtplib.SMTPRecipientsRefused as error:
            raise NotSent(f"the mail server refuses the address: {error}", for_good=True) from error
        except (smtplib.SMTPException, OSError) as error:
            raise NotSent(f"the mail server did not take it: {error}") from error


def _message_id(key: str) -> str:
    """The key as a message id, so that a mail sent twice arrives as one."""
    host = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].strip("> ") or "localhost"
    return f"<{re.sub(r'[^A-Za-z0-9._-]+', '-', key)}@{host}>"
