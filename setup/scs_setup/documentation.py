"""Is everything documented, and do the links lead somewhere? Looks at the tree, and ansible-doc for the modules."""

import configparser
import json
import re
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from . import programs

# ansible-doc starts Ansible once for all modules.
ANSIBLE_DOC_SECONDS = 120
TABLE = re.compile(r'<!-- programs -->\n(.*?)<!-- /programs -->', re.DOTALL)
SKIPPED = {'.git', 'node_modules', '__pycache__', '.ansible', '.hypothesis'}


def findings(root: Path, env: Mapping[str, str]) -> list[str]:
    """Everything that is wrong, as `file: what`, in stable order."""
    return [*links(root), *roles(root), *programs_table(root), *dependencies(root), *modules(root, env)]


def pages(root: Path) -> list[Path]:
    """Markdown pages of the checkout. Symlinked folders are seen where they really are."""
    found = [path for path in root.rglob('*.md') if not SKIPPED & set(path.relative_to(root).parts)]
    return sorted(path for path in found if path.resolve().is_relative_to(root.resolve()) and not path.is_symlink())


def links(root: Path) -> list[str]:
    """Relative links of Markdown pages whose target does not exist."""
    result = []
    for page in pages(root):
        text = re.sub(r'```.*?```|`[^`\n]*`', '', page.read_text(), flags=re.DOTALL)
        for target in re.findall(r'\]\(([^)\s]+)\)', text):
            name, _, anchor = target.partition('#')
            if re.match(r'[a-z]+:', target):
                continue
            goal = (page.parent / name) if name else page
            if not goal.exists():
                result.append(f'{page.relative_to(root)}: link to {target}, which does not exist')
            elif anchor and goal.suffix == '.md' and anchor not in _anchors(goal.read_text()):
                result.append(f'{page.relative_to(root)}: link to {target}, where no heading has that name')
    return result


def _anchors(text: str) -> set[str]:
    headings = re.findall(r'^#+ (.+)$', text, re.MULTILINE)
    return {re.sub(r'[^\w\- ]', '', heading.lower()).strip().replace(' ', '-') for heading in headings}


def roles(root: Path) -> list[str]:
    """Roles without README or argument specification."""
    result = []
    for role in _folders(root / 'roles'):
        for needed in ('README.rst', 'meta/argument_specs.yml'):
            if not (role / needed).is_file():
                result.append(f'roles/{role.name}: has no {needed}')
    return result


def _folders(path: Path) -> Iterable[Path]:
    return sorted(child for child in path.iterdir() if child.is_dir()) if path.is_dir() else []


def programs_table(root: Path) -> list[str]:
    """The table in doc/tools.md must be the one that tools/programs.toml makes."""
    page = root / 'doc' / 'tools.md'
    found = TABLE.search(page.read_text())
    if found and found.group(1).strip() == programs.table(root / 'tools').strip():
        return []
    return ['doc/tools.md: the table of programs is stale; put in what `python3 setup/main.py tools --table` prints']


def dependencies(root: Path) -> list[str]:
    """Packages that a setup.cfg or a requirements file asks for, but that have no reason in CONTRIBUTING.md."""
    explained = set(re.findall(r'^\| ([\w.-]+)', (root / 'CONTRIBUTING.md').read_text(), re.MULTILINE))
    asked: dict[str, str] = {}
    for file in ('setup.cfg', 'sandbox/setup.cfg'):
        parser = configparser.ConfigParser()
        parser.read(root / file)
        asked |= dict.fromkeys(_names(parser.get('options', 'install_requires', fallback='')), file)
    for path in sorted((root / 'requirements').glob('*.in')):
        asked |= dict.fromkeys(_names(path.read_text()), f'requirements/{path.name}')
    return [
        f'{file}: {name} has no row in the table of dependencies in CONTRIBUTING.md'
        for name, file in asked.items()
        if name not in explained
    ]


def _names(requirements: str) -> list[str]:
    return re.findall(r'^\s*([A-Za-z][\w.-]*)', requirements, re.MULTILINE)


def modules(root: Path, env: Mapping[str, str]) -> list[str]:
    """Modules that ansible-doc cannot show, or whose documentation lacks a part."""
    names = sorted(path.stem for path in (root / 'library').glob('*.py')) if (root / 'library').is_dir() else []
    if not names:
        return []
    done = subprocess.run(
        ['ansible-doc', '--json', '--module-path', str(root / 'library'), *names],
        env=dict(env),
        cwd=root,
        capture_output=True,
        text=True,
        timeout=ANSIBLE_DOC_SECONDS,
        check=False,
    )
    shown = json.loads(done.stdout or '{}') if done.returncode == 0 else {}
    if not shown:
        return [f'library: ansible-doc ended with {done.returncode}: {done.stderr.strip()[-500:]}']
    return [
        f'library/{name}.py: ansible-doc shows no {part}'
        for name in names
        for part in ('doc', 'examples', 'return')
        if not shown.get(name, {}).get(part)
    ]
