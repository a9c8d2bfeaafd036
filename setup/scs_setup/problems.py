"""The one exception of the set-up and the exit codes that every command of the project uses."""

PASSED = 0
FAILED = 1
USAGE = 2
ERROR = 3
LEFTOVERS = 4


class SetupProblem(Exception):
    """Something expected went wrong: what failed on which object, what the other side answered, what to do next."""

    def __init__(self, what: str, answer: str, next_step: str, exit_code: int = ERROR) -> None:
        super().__init__(what)
        self.what = what
        self.answer = answer
        self.next_step = next_step
        self.exit_code = exit_code

    def __str__(self) -> str:
        return f'{self.what}: {self.answer.strip()}\n  next: {self.next_step}'
