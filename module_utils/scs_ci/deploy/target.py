"""What a cluster is upgraded to: the next release of its stack, out of a checkout or made of the same content again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..core.errors import ProductProblem, UsageProblem
from ..stack.model import CLASS_DIR, Stack
from ..stack.treehash import hashes
from ..stack.versions import Identity

# A file of the class chart that nothing reads: with it the release gets another hash, hence another version.
MARK = f'{CLASS_DIR}/RELEASED_AGAIN'
NEXT_MINOR, OTHER, AGAIN = 'next minor', 'other content', 'same content, released again'


@dataclass(frozen=True)
class Target:
    """stack: what is released next. how: NEXT_MINOR, OTHER or AGAIN."""

    stack: Stack
    how: str


def choose(current: Stack, offered: Sequence[Stack]) -> Target:
    """The release after `current` among the stacks of a checkout.

    That of the next Kubernetes minor where the checkout has one (the operator lets a cluster go up by at most one),
    else the same minor with other content, else the same content released again. Of several directories the one with
    the path of `current` counts, so that a checkout with two of them is no matter of luck.

    Raises UsageProblem when the checkout has no version of that stack, or several that could be meant.
    """
    identity = _identity(current)
    same = [stack for stack in offered if _is_of(stack, identity)]
    for step, how in ((1, NEXT_MINOR), (0, OTHER)):
        fitting = [stack for stack in same if _identity(stack).kubernetes.minor == identity.kubernetes.minor + step]
        if not fitting:
            continue
        stack = _one(fitting, current)
        if how == NEXT_MINOR or hashes(stack.files) != hashes(current.files):
            return Target(stack, how)
        return Target(again(current), AGAIN)
    paths = ', '.join(stack.path for stack in offered) or 'none'
    raise UsageProblem(
        'cannot upgrade',
        f'{current.path} {identity.kubernetes}',
        f'the checkout has no {identity.provider}/{identity.name} of this minor or the next, only {paths}',
        'name another checkout with --to',
    )


def again(stack: Stack) -> Stack:
    """The same stack as the next release of it: what its owners publish when they change anything at all."""
    mark = f'{hashes(stack.files).cluster_stack}\n'.encode()
    return replace(stack, files={**stack.files, MARK: mark})


def _identity(stack: Stack) -> Identity:
    if stack.identity is None:
        raise ProductProblem(
            'cannot upgrade', f'stack {stack.path}', 'it declares no provider, name or version', 'see scs-ci check'
        )
    return stack.identity


def _is_of(stack: Stack, wanted: Identity) -> bool:
    found = stack.identity
    return found is not None and (found.provider, found.name, found.kubernetes.major) == (
        wanted.provider,
        wanted.name,
        wanted.kubernetes.major,
    )


def _one(fitting: Sequence[Stack], current: Stack) -> Stack:
    if len(fitting) == 1:
        return fitting[0]
    for stack in fitting:
        if stack.path == current.path:
            return stack
    raise UsageProblem(
        'cannot choose the next release of',
        current.path,
        f'{", ".join(stack.path for stack in fitting)} could be meant',
        'leave one in the checkout',
    )
