import sys

from lending.messaging import Message


class ConsoleBackend:
    """Shows the message in the terminal of the worker."""

    def send(self, message: Message) -> None:
        heading = f"--- {message.channel} to {message.to} [{message.key}] {message.subject}".rstrip()
        sys.stdout.write(f"{heading}\n{message.text}\n\n")
        sys.stdout.flush()
