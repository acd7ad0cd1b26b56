"""What is shown as one line, without a traceback."""


class Problem(Exception):
    """Something that the person at the keyboard can fix; the message says what is wrong and what to do."""


class Diverged(Problem):
    """The loss or its gradient is no longer a finite number."""


class Interrupted(Exception):
    """The run was asked to stop by a signal, and saved itself first."""

    def __init__(self, number: int, step: int) -> None:
        super().__init__(f"stopped at step {step} and saved: resume it with train --resume")
        self.exit_code = 128 + number


def require(holds: object, otherwise: str) -> None:
    """Raise AssertionError where something that is checked does not hold; `python -O` leaves out `assert` alone."""
    if not holds:
        raise AssertionError(otherwise)
