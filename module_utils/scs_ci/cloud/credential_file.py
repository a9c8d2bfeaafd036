"""The file with the secret of a run's credential: a clouds.yaml with one cloud, readable for its owner only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import ToolProblem, UsageProblem
from ..core.files import write_atomic
from .connect import Cloud

# Only a file that begins so is replaced or removed: a path that was mistyped must not cost anybody's clouds.yaml.
HEAD = '# scs-ci: application credential of run '
# Which roles were asked for: Keystone lists those that they imply as well.
ROLES = '# roles: '
# What leads to the cloud besides the credential itself; everything else of an entry is for people.
KEPT = ('region_name', 'interface', 'identity_api_version', 'cacert', 'verify', 'api_timeout')
OVERRIDE = '_endpoint_override'


def demand_ours(path: Path) -> None:
    """UsageProblem when there is a file that scs-ci did not write."""
    text = _text(path)
    if text is not None and not text.startswith(HEAD):
        raise UsageProblem(
            'cannot write', f'credential file {path}', 'it is not a credential file of scs-ci', 'name another file'
        )


@dataclass(frozen=True)
class Inside:
    """What a file says of its credential, without the secret. Empty where there is none for the cloud."""

    id: str = ''
    roles: tuple[str, ...] = ()


def read(path: Path, cloud: str) -> Inside:
    """The credential for this cloud in the file."""
    import yaml

    text = _text(path) or ''
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError:
        return Inside()  # half a file, or edited: the credential in it is of no use
    found: Any = content
    for key in ('clouds', cloud, 'auth', 'application_credential_id'):
        found = found.get(key) if isinstance(found, dict) else None
    told = next((line for line in text.splitlines() if line.startswith(ROLES)), ROLES)
    return Inside(str(found or ''), tuple(told.removeprefix(ROLES).split()))


def write(path: Path, cloud: Cloud, run: str, inside: Inside, secret: str) -> None:
    """Mode 0600 from the first byte, in a directory that is made with 0700."""
    import yaml

    content = yaml.safe_dump({'clouds': {cloud.name: entry(cloud.sdk.config.config, inside.id, secret)}})
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ToolProblem(
            'cannot make', f'directory {path.parent}', error.strerror or str(error), 'name another file'
        ) from error
    write_atomic(path, f'{HEAD}{run}\n{ROLES}{" ".join(inside.roles)}\n{content}', 0o600)


def entry(config: dict[str, Any], identity: str, secret: str) -> dict[str, Any]:
    """The entry of clouds.yaml, from what the login of the maker was made of; pure."""
    kept = {k: v for k, v in config.items() if (k in KEPT or k.endswith(OVERRIDE)) and v is not None}
    auth = {
        'auth_url': config['auth']['auth_url'],
        'application_credential_id': identity,
        'application_credential_secret': secret,
    }
    return {**kept, 'auth_type': 'v3applicationcredential', 'auth': auth}


def remove(path: Path) -> None:
    """Remove the file if it is ours."""
    demand_ours(path)
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise ToolProblem(
            'cannot remove', f'credential file {path}', error.strerror or str(error), 'remove it by hand'
        ) from error


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding='utf-8')
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageProblem('cannot read', f'credential file {path}', str(error), 'name another file') from error
