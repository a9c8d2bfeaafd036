"""The one error of the sandbox. It says four things: what failed, on which object, what the other side answered, what
to do next.
"""

from __future__ import annotations


class SandboxError(Exception):
    """An expected failure with a message for people.

    what: the action that failed, e.g. 'cannot start server'.
    subject: the object, kind and name or id, e.g. 'server 7c1e'.
    answer: what the other side said, verbatim where possible.
    advice: what to do next.
    """

    def __init__(self, what: str, subject: str = '', answer: str = '', advice: str = '') -> None:
        self.what, self.subject, self.answer, self.advice = what, subject, answer.strip(), advice
        super().__init__(what, subject, answer, advice)

    def __str__(self) -> str:
        head = f'{self.what} {self.subject}'.strip()
        text = f'{head}: {self.answer}' if self.answer else head
        return f'{text}\n  next: {self.advice}' if self.advice else text
