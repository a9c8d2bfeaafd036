"""Outcomes of stages, versions and runs, and the exit codes that stand for them everywhere."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum, StrEnum


class Outcome(StrEnum):
    """How a stage ended."""

    PASSED = 'passed'
    FAILED = 'failed'  # the product (the cluster stack) is at fault
    ERROR = 'error'  # infrastructure or this tool is at fault
    SKIPPED = 'skipped'  # not run, with a reason from the plan


class Exit(IntEnum):
    """Exit codes of every command and playbook."""

    PASSED = 0
    FAILED = 1
    USAGE = 2
    ERROR = 3
    LEFTOVERS = 4


# Worst first. A product failure outranks an infrastructure error: it is the answer the author waits for.
SEVERITY = (Outcome.FAILED, Outcome.ERROR, Outcome.SKIPPED, Outcome.PASSED)

EXIT_CODES = {
    Outcome.PASSED: Exit.PASSED,
    Outcome.SKIPPED: Exit.PASSED,
    Outcome.FAILED: Exit.FAILED,
    Outcome.ERROR: Exit.ERROR,
}


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """The worst of the outcomes; nothing at all is an error, for red must be red."""
    found = set(outcomes)
    return next((outcome for outcome in SEVERITY if outcome in found), Outcome.ERROR)


def exit_code(outcome: Outcome) -> Exit:
    """Exit code of a command that ended with this outcome."""
    return EXIT_CODES[outcome]
