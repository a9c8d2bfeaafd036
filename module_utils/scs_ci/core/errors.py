"""Domain errors. Each says four things: what failed, on which object, what the other side answered, what to do next."""

from __future__ import annotations

from typing import ClassVar

from .outcome import Exit, Outcome


class Problem(Exception):
    """An expected failure with a message for people.

    what: the action that failed, e.g. 'cannot boot node'.
    subject: the object, kind and name or id, e.g. 'server scs-ci-4f2a-0 (7c1e)'.
    answer: what the other side said, verbatim where possible.
    advice: what to do next.
    """

    outcome: ClassVar[Outcome] = Outcome.ERROR
    exit: ClassVar[Exit] = Exit.ERROR
    verdict: ClassVar[str] = 'infrastructure'

    def __init__(self, what: str, subject: str = '', answer: str = '', advice: str = '') -> None:
        self.what, self.subject, self.answer, self.advice = what, subject, answer.strip(), advice
        super().__init__(what, subject, answer, advice)

    @property
    def reason(self) -> str:
        """The message without the advice, on one line: for records and tables."""
        head = f'{self.what} {self.subject}'.strip()
        return ' '.join(f'{head}: {self.answer}'.split()) if self.answer else head

    def __str__(self) -> str:
        head = f'{self.what} {self.subject}'.strip()
        text = f'{head}: {self.answer}' if self.answer else head
        return f'{text}\n  next: {self.advice}' if self.advice else text


class UsageProblem(Problem):
    """The caller asked for something that cannot be: wrong option, unknown name, unreadable input path."""

    exit = Exit.USAGE
    verdict = 'usage'


class ProductProblem(Problem):
    """The cluster stack under test is at fault."""

    outcome = Outcome.FAILED
    exit = Exit.FAILED
    verdict = 'product'


class InfrastructureProblem(Problem):
    """The cloud, the network or a service is at fault."""


class ToolProblem(Problem):
    """scs-ci itself, or a program it needs, is at fault or missing."""

    verdict = 'tool'


class TimeoutProblem(ToolProblem):
    """A child process did not end within its limit and was killed."""


class QuotaProblem(InfrastructureProblem):
    """A quota or a pool of addresses is exhausted."""

    verdict = 'quota'


class CapacityProblem(InfrastructureProblem):
    """No host of the cloud can take the server."""

    verdict = 'capacity'


class BootProblem(InfrastructureProblem):
    """A server was scheduled but did not become usable."""

    verdict = 'boot'


class ImageProblem(InfrastructureProblem):
    """No image fits, or the image is not usable."""

    verdict = 'image'


class NetworkProblem(InfrastructureProblem):
    """A network, address or endpoint is missing or unreachable."""

    verdict = 'network'


class CredentialProblem(InfrastructureProblem):
    """The cloud refused the credential, or there is none."""

    verdict = 'credential'


class LeftoversProblem(Problem):
    """Resources of the run are still in the cloud."""

    exit = Exit.LEFTOVERS
    verdict = 'leftovers'
