"""Operations of the agent: what each takes and answers. One JSON line there, one back: {"ok": true, ...} or {"ok":
false, "error": text}.

server-apply   {"server": {"id", "name", "hostname", "state": "running|stopped", "image": tree name, "memory_mb",
"vcpus",
                "ports": [{"id", "mac", "network_id", "addresses": ["10.0.0.5/24"], "gateway": "10.0.0.1"|null, "mtu",
                "dns": [address]}],
                "user_data": base64|null, "keys": [line], "metadata": {}, "availability_zone"}}
               answers {"state"} when converged: the container runs (or is stopped), its interfaces are plugged in.
server-delete  {"id"}           answers {"removed": [text]}; a server that is not known is no error.
server-reboot  {"id", "hard"}   answers {"state"}.
server-power   {"id", "on"}     answers {"state"}; without power a server ends at once, its disk stays.
server-ports   {"id", "ports"}  answers {"state"}; attaches and detaches while the server runs.
server-status  {"id"}           answers {"state": "running|stopped|absent|crashed"}.
volume-attach  {"server", "volume", "facts": {}}  answers {"changes": [text]}; see scs_sandbox/agent/volumes.py.
volume-detach  {"volume"}       answers {"changes": [text]}; its content stays.
volume-delete  {"volume"}       answers {"removed": [text]}.
network-apply  {"snapshot": {"networks", "subnets", "ports", "routers", "floating_ips", "security_groups"}}, always
complete;
               answers {"changes": [text]} when the network is as it says (scs_sandbox/network/model.py has the fields).
balancers-apply {"region", "balancers": [{"id", "ports": [port id], "filtered": bool, "config": text of HAProxy|null}]},
always complete for the region; answers {"errors": {id: text}} when every proxy runs with its configuration or has an
error. Files: scs_sandbox/balancers/model.py.
status         {}               answers {"servers": [{"id", "name", "state", "desired", "pid", "error"}], "network":
{…}, "balancers": [{"id", "pid", "error"}], "error": text|null}.
converge       {}               one pass over everything now; answers {"errors": [text]}.
stop           {}               ends the agent; servers and network stay. Answers {}.
"""

from __future__ import annotations

OPERATIONS = (
    'server-apply',
    'server-delete',
    'server-reboot',
    'server-power',
    'server-ports',
    'server-status',
    'volume-attach',
    'volume-detach',
    'volume-delete',
    'network-apply',
    'balancers-apply',
    'status',
    'converge',
    'stop',
)
EOF_LIMIT = 64 << 20  # bytes of one request; user data is at most 64 KiB, a snapshot some hundred KiB
