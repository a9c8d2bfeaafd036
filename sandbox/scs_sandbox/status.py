"""What there is of a sandbox: processes with memory, servers, addresses. Collect, then show as table or JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from . import lab, processes
from .agent import client
from .cloud import start
from .sandboxes import Sandbox

AGENT_TIMEOUT = 10.0  # seconds; it answers from memory


def collect(sandbox: Sandbox) -> dict[str, Any]:
    """Everything known: name, up, processes, servers, regions. Shape: the output of `scs-sandbox status --json`."""
    rows = [_row(p, '') for p in processes.recorded(sandbox.processes)]
    regions = sandbox.regions()
    for region in regions:
        rows += [_row(p, f'{region.name}/', region.port(p.name)) for p in processes.recorded(start.records(region))]
    servers, problem = _servers(sandbox)
    return {
        'name': sandbox.name,
        'state': str(sandbox.state),
        'lab': lab.exists(sandbox.name),
        'up': bool(rows) and all(row['alive'] for row in rows) and lab.exists(sandbox.name) and not problem,
        'regions': [{'name': r.name, 'identity': r.url('keystone')} for r in regions],
        'processes': rows,
        'servers': servers,
        'agent_error': problem,
        'pss_mib': sum(row['pss_mib'] for row in rows),
    }


def _row(process: processes.Process, prefix: str, port: int | None = None) -> dict[str, Any]:
    memory = processes.memory(process.pid) if processes.alive(process) else None
    return {
        'name': prefix + process.name,
        'pid': process.pid,
        'alive': processes.alive(process),
        'port': port,
        'rss_mib': memory.rss if memory else 0,
        'pss_mib': memory.pss if memory else 0,
    }


def _servers(sandbox: Sandbox) -> tuple[list[dict[str, Any]], str | None]:
    path = sandbox.state / 'agent.sock'
    if not path.exists():
        return [], None
    try:
        answer = client.call(str(path), 'status', timeout=AGENT_TIMEOUT)
    except client.AgentError as error:
        return [], str(error)
    return list(answer['servers']), answer.get('error')


def table(found: dict[str, Any]) -> str:
    """The same for people."""
    if not found['processes'] and not found['lab']:
        return f'sandbox {found["name"]} is down'
    lines = [
        f'sandbox {found["name"]} is {"up" if found["up"] else "broken"}',
        '',
        f'{"process":24} {"pid":>8} {"port":>6} {"state":8} {"RSS MiB":>8} {"PSS MiB":>8}',
    ]
    for row in found['processes']:
        state = 'running' if row['alive'] else 'ended'
        who = f'{row["name"]:24} {row["pid"]:>8} {row["port"] or "-":>6} {state:8}'
        lines.append(f'{who} {row["rss_mib"]:>8} {row["pss_mib"]:>8}')
    lines.append(f'{"total":24} {"":>8} {"":>6} {"":8} {"":>8} {found["pss_mib"]:>8}')
    if found['servers']:
        lines += ['', f'{"server":38} {"name":28} {"state":8} {"pid":>8}']
        lines += [
            f'{s["id"]:38} {s["name"] or "-":28} {s["state"]:8} {s.get("pid") or "-":>8}' for s in found['servers']
        ]
    if found['agent_error']:
        lines += ['', f'agent: {found["agent_error"]}']
    return '\n'.join(lines)


def logs(sandbox: Sandbox) -> dict[str, list[Path]]:
    """Log files by what scs-sandbox logs calls them; the home region's services without the region's name."""
    found: dict[str, list[Path]] = {}
    for path in sorted((sandbox.state / 'log').glob('*')):
        found.setdefault(path.stem, []).append(path)
    for region in sandbox.regions():
        for path in sorted(region.log.glob('*')):
            name = path.stem if not region.index else f'{region.name}/{path.stem}'
            found.setdefault(name, []).append(path)
    for path in sorted((sandbox.state / 'servers').glob('*/console.log')):
        found[f'server/{path.parent.name}'] = [path]
    return found
