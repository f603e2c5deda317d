"""A delivery that is refused, with what the sender is told and what is counted."""


class Refused(Exception):
    """Nothing of the delivery took effect. `status` is HTTP's, `reason` a few words to count by.

    With `retry_after` seconds the sender should send it again, else never.
    """

    def __init__(self, status: int, message: str, *, reason: str, retry_after: int = 0) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after
