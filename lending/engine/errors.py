"""What the engine refuses, and why."""


class TermsError(ValueError):
    """Terms that cannot be a loan; ``field`` names the term."""

    def __init__(self, field: str, message: str):
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


class EventError(ValueError):
    """An event that cannot have happened to this loan; ``ref`` names the event."""

    def __init__(self, ref: str, message: str):
        super().__init__(f"event {ref}: {message}")
        self.ref = ref
        self.message = message
