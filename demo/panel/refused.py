"""What the panel says no to."""


class Refused(Exception):
    """One sentence or two for the visitor, and the HTTP status that goes with them."""

    def __init__(self, sentence: str, status: int = 400) -> None:
        super().__init__(sentence)
        self.status = status
