"""The application credential of a run: restricted, with few roles, for a limited time; its secret lives in one file."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..core.clock import Clock, SystemClock
from ..core.errors import CredentialProblem, UsageProblem
from ..core.naming import names
from ..core.run import timestamp
from . import connect, credential_file, failures, inventory, retry
from .connect import Cloud
from .credential_file import Inside
from .inventory import BY_NAME, Resource
from .marks import Mark
from .owned import Filter

# What nodes and clusters need. Octavia has roles of its own in most clouds; where it has not, nobody holds this one.
ROLES = ('member', 'load-balancer_member')
# Cleanup runs after the job's time is over, with limits of its own, and needs the credential no longer.
MARGIN = datetime.timedelta(hours=1)
MINT_ADVICE = 'log in with a password or a federated identity: only an unrestricted credential may make others'


@dataclass(frozen=True)
class Wish:
    """file: where the secret is to be, a clouds.yaml with one cloud; timeout: seconds that the job may still take.

    roles: of the login; empty chooses the few that are needed.
    """

    mark: Mark
    file: Path
    timeout: float
    roles: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f'{names(self.mark.run).prefix}-credential'


@dataclass(frozen=True)
class Credential:
    """One that can be used. reason: why it was made; empty when it was there already. expires: ISO 8601, UTC."""

    id: str
    name: str
    expires: str
    roles: tuple[str, ...]
    file: str
    reason: str = ''

    @property
    def changed(self) -> bool:
        return bool(self.reason)


@dataclass(frozen=True)
class Existing:
    """What the cloud tells of a credential of the run; the secret is not among it."""

    id: str
    expires: datetime.datetime | None
    roles: tuple[str, ...]


def present(cloud: Cloud, wish: Wish, *, check: bool = False, clock: Clock | None = None) -> Credential:
    """The run's credential, with its secret in the file, or a Problem: never one without the other.

    check: only say what would be done. One whose secret is lost, or that would end too early, is replaced.
    """
    clock = clock or SystemClock()
    wish = replace(wish, roles=chosen_roles(wish.roles, cloud.roles))
    credential_file.demand_ours(wish.file)
    existing = _existing(cloud, wish.mark.run, clock)
    inside = credential_file.read(wish.file, cloud.name)
    needed = clock.now() + datetime.timedelta(seconds=wish.timeout)
    reason = why_new(existing, inside, needed, wish.roles) or _refused(cloud, wish.file)
    if not reason:
        found = next(one for one in existing if one.id == inside.id)
        expires = timestamp(found.expires) if found.expires else ''
        return Credential(found.id, wish.name, expires, wish.roles, str(wish.file))
    expires = timestamp(max(needed + MARGIN, datetime.datetime.fromisoformat(wish.mark.expires)))
    if check:
        return Credential('', wish.name, expires, wish.roles, str(wish.file), reason)
    return _new(cloud, wish, [one.id for one in existing], expires, reason, clock)


def present_or_why_not(
    cloud: Cloud, wish: Wish, *, check: bool = False, clock: Clock | None = None
) -> Credential | str:
    """As present(), but the reason where the login may make no credential: then the run has to do with the login."""
    if why := unable(cloud, wish.roles, clock):
        return why
    try:
        return present(cloud, wish, check=check, clock=clock)
    except CredentialProblem as problem:  # policy forbids it: nobody knows before it is tried
        return problem.reason


def unable(cloud: Cloud, roles: Iterable[str], clock: Clock | None = None) -> str:
    """Why the login can make no credential with these roles, as far as that shows beforehand; '' when nothing does."""
    if cloud.credential_id and not _is_unrestricted(cloud, clock):
        return 'the login is a restricted application credential, which can make no other'
    try:
        chosen_roles(roles, cloud.roles)
    except UsageProblem as problem:
        return problem.reason
    return ''


def _is_unrestricted(cloud: Cloud, clock: Clock | None) -> bool:
    def ask() -> Any:
        return cloud.sdk.identity.get_application_credential(cloud.user_id, cloud.credential_id)

    try:
        return bool(retry.reading(ask, clock).unrestricted)
    except failures.sdk_errors():  # rules of access may forbid even that
        return False


def absent(cloud: Cloud, run: str, file: Path | None, *, check: bool = False, clock: Clock | None = None) -> list[str]:
    """Revoke the credentials of a run and remove the file; returns their ids."""
    clock = clock or SystemClock()
    going = [one.id for one in _existing(cloud, run, clock)]
    if not check:
        for identity in going:
            _revoke(cloud, identity, clock)
        if file:
            credential_file.remove(file)
    return going


def chosen_roles(wanted: Iterable[str], held: Iterable[str]) -> tuple[str, ...]:
    """The roles of the credential: those asked for, else the needed ones that the login holds; pure.

    UsageProblem: the login does not hold one, or none of those that are needed.
    """
    have = set(held)
    asked = tuple(wanted)
    chosen = asked or tuple(role for role in ROLES if role in have)
    missing = [role for role in chosen if role not in have]
    if missing or (not asked and ROLES[0] not in chosen):
        answer = f'the login has {", ".join(sorted(have)) or "no roles"}'
        raise UsageProblem(
            'cannot make', f'a credential with role {(missing or ROLES)[0]}', answer, 'name roles that it has'
        )
    return tuple(sorted(chosen))


def why_new(existing: Iterable[Existing], inside: Inside, needed: datetime.datetime, roles: tuple[str, ...]) -> str:
    """Why a new credential has to be made; empty when that of the file will do. Pure."""
    there = {one.id: one for one in existing}
    if not there:
        return 'there is none'
    if not inside.id or inside.id not in there:
        # Keystone tells a secret once: without the file nobody can use the credential
        return 'its secret is not in the file'
    found = there[inside.id]
    if found.expires and found.expires <= needed:
        return f'it expires {timestamp(found.expires)}, and is needed until {timestamp(needed)}'
    # Keystone lists what roles imply as well, so there may be more than were asked for
    if inside.roles != roles or not set(roles) <= set(found.roles):
        return f'it was made with roles {", ".join(inside.roles or found.roles)}'
    return ''


def _refused(cloud: Cloud, file: Path) -> str:
    """Why nobody can log in with the file; empty when it works."""
    try:
        connect.connect(cloud.name, file)
    except (CredentialProblem, UsageProblem) as problem:
        return f'it does not work: {problem.answer}'
    return ''


def _existing(cloud: Cloud, run: str, clock: Clock) -> list[Existing]:
    check, kind = Filter(run), BY_NAME['application_credential']
    with failures.cloud_errors('cannot list', f'application credentials of cloud {cloud.name}'):
        found = retry.reading(lambda: list(kind.list(cloud)), clock)
    mine = (item for item in found if check.reason(Resource(kind.name, item.id, item.name, description=_text(item))))
    return [Existing(item.id, _time(item.expires_at), tuple(r['name'] for r in item.roles or ())) for item in mine]


def _text(item: Any) -> str:
    return str(item.description or '')


def _time(text: Any) -> datetime.datetime | None:
    moment = inventory.moment(text)
    return datetime.datetime.fromisoformat(moment) if moment else None


def _new(cloud: Cloud, wish: Wish, old: list[str], expires: str, reason: str, clock: Clock) -> Credential:
    for identity in old:
        _revoke(cloud, identity, clock)  # its name is taken, and nobody has its secret
    made = _create(cloud, wish, expires, clock)
    try:
        credential_file.write(wish.file, cloud, wish.mark.run, Inside(made.id, wish.roles), made.secret)
        connect.connect(cloud.name, wish.file)
    except BaseException:
        # whoever gets no file must not leave a credential that nobody can use
        _revoke(cloud, made.id, clock)
        credential_file.remove(wish.file)
        raise
    return Credential(made.id, wish.name, expires, wish.roles, str(wish.file), reason)


def _create(cloud: Cloud, wish: Wish, expires: str, clock: Clock) -> Any:
    body = {
        'description': wish.mark.description(),
        'expires_at': expires,
        'roles': [{'name': role} for role in wish.roles],
        'unrestricted': False,
    }
    create = cloud.sdk.identity.create_application_credential

    def forget_lost() -> None:
        # the answer was lost, and the secret with it: what may have been made is of no use
        for one in _existing(cloud, wish.mark.run, clock):
            _revoke(cloud, one.id, clock)

    with failures.cloud_errors('cannot make', f'application credential {wish.name}', MINT_ADVICE):
        return retry.creating(lambda: create(cloud.user_id, wish.name, **body), forget_lost, clock)


def _revoke(cloud: Cloud, identity: str, clock: Clock) -> None:
    with failures.cloud_errors('cannot revoke', f'application credential {identity}', MINT_ADVICE):
        retry.deleting(lambda: _delete(cloud, identity), clock)


def _delete(cloud: Cloud, identity: str) -> None:
    try:
        cloud.sdk.identity.delete_application_credential(cloud.user_id, identity)
    except failures.sdk_errors() as error:
        if not failures.is_missing(error):
            raise
