"""A connection by cloud name only: everything about a cloud is in clouds.yaml, nothing in our options."""

from __future__ import annotations

import logging
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import CredentialProblem, NetworkProblem, Problem, UsageProblem
from ..core.redact import Redactor, secrets_of
from . import failures

# One request. Slow clouds answer a server POST in some ten seconds; more than a minute is a lost answer.
API_TIMEOUT = 60
# Old enough for every supported cloud (Train), new enough for volume types in block device mappings (2.67), single
# policies of server groups (2.64) and embedded flavors (2.47); newer lists have a paging defect (2.96).
COMPUTE_MICROVERSION = '2.79'
FILE_ADVICE = 'create clouds.yaml (mode 0600) in ., ~/.config/openstack or /etc/openstack, or set OS_CLIENT_CONFIG_FILE'


@dataclass(frozen=True)
class Cloud:
    """An authenticated connection. sdk: openstack.connection.Connection; secrets: to be kept out of all output.

    credential_id: of the application credential that logged in; empty after another way of login. roles: of the login.
    """

    name: str
    sdk: Any
    project_id: str
    user_id: str
    secrets: frozenset[str]
    credential_id: str = ''
    roles: tuple[str, ...] = ()

    @property
    def redactor(self) -> Redactor:
        return Redactor(self.secrets)

    def has(self, service: str) -> bool:
        """True when the catalog has the service in this region."""
        with failures.cloud_errors('cannot read', f'catalog of cloud {self.name}'):
            return bool(self.sdk.endpoint_for(service))


def connect(name: str, file: Path | None = None) -> Cloud:
    """Log in to the cloud of that name in clouds.yaml, or in another file.

    UsageProblem: no such file or cloud; CredentialProblem: login refused; NetworkProblem: Keystone unreachable.
    """
    config = _config(file)
    region = _region(config, name)
    secrets = secrets_of(region.config)
    try:
        sdk, token = _login(name, region)
        project, user = sdk.session.get_project_id(), sdk.session.get_user_id()
    except Problem as problem:
        redact = Redactor(secrets).text
        raise type(problem)(problem.what, problem.subject, redact(problem.answer), problem.advice) from None
    if not project:
        raise CredentialProblem(
            'cannot use', f'cloud {name}', 'the token has no project', 'name a project in clouds.yaml'
        )
    return Cloud(name, sdk, project, user, secrets | {token}, *_login_facts(sdk))


def _login_facts(sdk: Any) -> tuple[str, tuple[str, ...]]:
    """Id of the application credential and the roles, from the token that is at hand: no request."""
    ask = getattr(sdk.session.auth, 'get_access', None)  # plugins without Keystone have no token to look into
    access = ask(sdk.session) if ask else None
    credential = str(getattr(access, 'application_credential_id', None) or '')
    return credential, tuple(sorted(getattr(access, 'role_names', None) or ()))


def known_clouds() -> list[str]:
    """Names in clouds.yaml; none without the file."""
    return sorted(name for name in _config(None).get_cloud_names() if name != 'defaults')


def _config(file: Path | None) -> Any:
    try:
        import yaml
        from openstack.config import loader
        from openstack.exceptions import ConfigException
    except ImportError as error:
        raise failures.missing_sdk(error) from error
    named = str(file) if file else os.environ.get('OS_CLIENT_CONFIG_FILE')
    if named and not Path(named).is_file():
        raise UsageProblem('cannot read', f'file {named}', 'OS_CLIENT_CONFIG_FILE names no file', FILE_ADVICE)
    # a file that is named here is complete: what is secret elsewhere belongs to other clouds of the same name
    secure = str(file) if file else os.environ.get('OS_CLIENT_SECURE_FILE')
    try:
        for path in map(Path, [named] if named else loader.CONFIG_FILES):
            if path.is_file():  # openstacksdk skips a broken file with a warning and then finds no cloud
                _demand_shape(path, yaml.safe_load(path.read_text(encoding='utf-8')))
        # without environment variables: a stray OS_PASSWORD must not change which cloud a CI job works on
        return loader.OpenStackConfig(
            config_files=[named] if named else None, secure_files=[secure] if secure else None, load_envvars=False
        )
    except (yaml.YAMLError, ConfigException, OSError, UnicodeDecodeError) as error:
        raise UsageProblem(
            'cannot read', f'clouds file {named or "clouds.yaml"}', _place_only(error), 'fix the file'
        ) from error


def _place_only(error: Exception) -> str:
    """What is wrong and where. PyYAML's own text quotes the line, which in this file may hold a password."""
    mark = getattr(error, 'problem_mark', None)
    return f'line {mark.line + 1}, column {mark.column + 1}: {getattr(error, "problem", "")}' if mark else str(error)


def _demand_shape(path: Path, content: Any) -> None:
    """openstacksdk crashes where a mapping is something else; a file without any cloud is told later, with its name."""
    clouds = content.get('clouds', {}) if isinstance(content, dict) else {}
    places = {'clouds': clouds}
    if isinstance(clouds, dict):
        places |= {f'clouds.{name}': cloud for name, cloud in clouds.items()}
        places |= {
            f'clouds.{name}.auth': cloud.get('auth', {}) for name, cloud in clouds.items() if isinstance(cloud, dict)
        }
    for place, value in places.items():
        if not isinstance(value, dict):
            raise UsageProblem(
                'cannot use', f'clouds file {path}', f'{place} is no mapping but {type(value).__name__}', 'fix the file'
            )


def _region(config: Any, name: str) -> Any:
    from keystoneauth1.exceptions import ClientException
    from openstack.exceptions import ConfigException
    from openstack.warnings import ConfigurationWarning

    known = sorted(cloud for cloud in config.get_cloud_names() if cloud != 'defaults' or name == 'defaults')
    if not config.config_filename:
        raise UsageProblem('cannot find', f'cloud {name!r}', 'there is no clouds.yaml', FILE_ADVICE)
    if name not in known:
        answer = f'{config.config_filename} has {", ".join(known) or "no clouds"}'
        raise UsageProblem(
            'cannot find', f'cloud {name!r}', answer, 'use one of these names, or add the cloud to the file'
        )
    try:
        with warnings.catch_warnings():
            # a vendor profile that does not exist is only warned of, and then something else is missing
            warnings.simplefilter('error', ConfigurationWarning)
            region = config.get_one(cloud=name)
    except (ConfigException, ClientException, ConfigurationWarning) as error:
        raise UsageProblem('cannot use', f'cloud {name}', str(error), f'fix {config.config_filename}') from error
    region.config.setdefault('api_timeout', API_TIMEOUT)
    if region.config['api_timeout'] is None:
        region.config['api_timeout'] = API_TIMEOUT
    region.config['compute_default_microversion'] = COMPUTE_MICROVERSION
    return region


def _login(name: str, region: Any) -> tuple[Any, str]:
    import openstack.connection
    from keystoneauth1 import exceptions

    for library in ('keystoneauth', 'openstack'):
        # without a handler Python prints their warnings on standard error, beside our own message
        logging.getLogger(library).addHandler(logging.NullHandler())
    subject = f'cloud {name} ({region.config.get("auth", {}).get("auth_url", "no auth_url")})'
    try:
        sdk = openstack.connection.Connection(config=region, app_name='scs-ci')
        return sdk, str(sdk.session.get_token())
    except (exceptions.Unauthorized, exceptions.NotFound) as error:  # 404: a revoked application credential
        advice = 'check user, secret, project and expiry in clouds.yaml'
        raise CredentialProblem('cannot log in to', subject, failures.text_of(error), advice) from error
    except exceptions.MissingRequiredOptions as error:
        raise CredentialProblem(
            'cannot log in to', subject, str(error), 'complete the auth section in clouds.yaml'
        ) from error
    except failures.sdk_errors() as error:
        if failures.is_unreachable(error):
            advice = 'check auth_url, network and certificates'
            raise NetworkProblem('cannot reach', subject, failures.text_of(error), advice) from error
        raise failures.problem('cannot log in to', subject, error, 'check auth_url and the log of Keystone') from error
    except (OSError, ValueError) as error:  # a file of certificates that is not there, a timeout that is no number
        raise UsageProblem(
            'cannot log in to', subject, str(error), 'correct cacert, cert, key and api_timeout in clouds.yaml'
        ) from error
    except Exception as error:
        if type(error) is not Exception:
            raise
        # keystoneauth reports a missing password with a bare Exception
        raise CredentialProblem(
            'cannot log in to', subject, str(error), 'complete the auth section in clouds.yaml'
        ) from error
