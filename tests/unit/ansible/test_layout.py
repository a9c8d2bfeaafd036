"""The links that Zuul needs, and the import contract behind them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
LINKS = sorted(path for place in ('playbooks', 'roles') for path in (ROOT / place).rglob('*') if path.is_symlink())
MODULES = sorted(path.stem for path in (ROOT / 'library').glob('*.py'))
ROLES = sorted(path for path in (ROOT / 'roles').iterdir() if path.is_dir())
PACKAGE = sorted((ROOT / 'module_utils').rglob('*.py'))

pytestmark = pytest.mark.unit


def tasks(role: Path) -> str:
    return ''.join(file.read_text(encoding='utf-8') for file in sorted(role.glob('tasks/*')))


def test_something_is_looked_at() -> None:
    assert len(LINKS) >= 7
    assert len(MODULES) >= 4
    assert len(ROLES) >= 9
    assert len(PACKAGE) > 50


@pytest.mark.parametrize('link', LINKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_link_resolves_inside_the_repository(link: Path) -> None:
    assert not link.readlink().is_absolute()
    assert link.resolve(strict=True) in {ROOT / 'library', ROOT / 'module_utils', ROOT / 'roles'}


@pytest.mark.parametrize('role', ROLES, ids=lambda path: path.name)
def test_role_with_modules_has_both_links(role: Path) -> None:
    calls = [name for name in MODULES if re.search(rf'^\s+{name}:', tasks(role), re.MULTILINE)]
    links = [name for name in ('library', 'module_utils') if (role / name).is_symlink()]
    assert links == (['library', 'module_utils'] if calls else [])


@pytest.mark.parametrize('file', [ROOT / 'library' / f'{name}.py' for name in MODULES], ids=lambda path: path.stem)
def test_module_has_less_than_sixty_lines_of_code(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding='utf-8'))
    documents = [
        node
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    ]
    inside = {line for node in documents for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}
    lines = file.read_text(encoding='utf-8').splitlines()
    code = [text for number, text in enumerate(lines, 1) if number not in inside and text.strip()[:1] not in ('', '#')]
    assert len(code) < 60


def test_package_never_imports_ansible() -> None:
    found = []
    for file in PACKAGE:
        for node in ast.walk(ast.parse(file.read_text(encoding='utf-8'))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or '']
            found += [f'{file}: {name}' for name in names if name.split('.')[0] in ('ansible', 'scs_ci', 'scs_sandbox')]
    assert found == []


def test_both_names_are_one_package() -> None:
    from ansible.module_utils.scs_ci.core import errors as outer

    from scs_ci.core import errors as inner

    assert outer.Problem is inner.Problem
