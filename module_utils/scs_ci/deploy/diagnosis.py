"""Why does it not go on? Pure over the objects of a cluster and their events: complaints, the deepest first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..core.errors import (
    BootProblem,
    CapacityProblem,
    CredentialProblem,
    ImageProblem,
    InfrastructureProblem,
    NetworkProblem,
    Problem,
    ProductProblem,
    QuotaProblem,
)
from .kinds import Object, condition_text, conditions, status, title

# From the cluster down to what stands in the cloud: who comes later is nearer to the cause. Others count as 0.
DEPTH = {
    kind: depth
    for depth, kind in enumerate(
        (
            'ClusterStack',
            'ClusterStackRelease',
            'Cluster',
            'ClusterAddon',
            'ClusterClass',
            'KubeadmControlPlane',
            'MachineDeployment',
            'MachineSet',
            'Machine',
            'KubeadmConfig',
            'Image',
            'OpenStackCluster',
            'OpenStackMachine',
            'OpenStackServer',
        ),
        start=1,
    )
}
# Kinds in whose own failures the stack is at fault: what it wrote was refused. Below them it is the cloud.
PRODUCT_KINDS = frozenset(
    {'ClusterStackRelease', 'Cluster', 'ClusterClass', 'KubeadmControlPlane', 'MachineDeployment', 'KubeadmConfig'}
)
# Reasons of conditions that only say: I wait for somebody else.
WAITING = re.compile(
    r'Waiting\w*|\w*NotReady|NotReady\w*|\w*Pending|Pending\w*|\w*Provisioning|\w*Deferred|NotAvailable|NotInitialized'
    r'|InternalError|NotYetReported|\w*Inspect\w*|\w*Unknown|Progressing|NotUpToDate|Scaling\w*|NoReplicas|DoesNotExist'
    r'|ControlPlaneNotReady|\w*Ongoing|Creating|\w*NotDownloadedYet|ReadyUnknown|NotReconciled|DependencyFailed'
)
# Conditions whose False is the good state, and two that say nothing about a cluster's coming up: classes with v1beta1
# templates never have RefVersionsUpToDate, and nobody can be probed before there is a server.
HARMLESS = frozenset(
    {
        'Paused',
        'Deleting',
        'RollingOut',
        'ScalingUp',
        'ScalingDown',
        'Remediating',
        'Progressing',
        'RefVersionsUpToDate',
        'RemoteConnectionProbe',
        'Updating',
    }
)

# err="…" of klog lines, "error": "…" of zap's JSON.
LOG_ERROR = re.compile(r'(?:\berr="((?:[^"\\]|\\.)*)"|"error": ?"((?:[^"\\]|\\.)*)")')
LOG_KIND = re.compile(r'"?controllerKind"?[=:] ?"(\w+)"')
# Errors that every cluster's coming up brings with it.
LOG_NOISE = re.compile(
    r'connection to the workload cluster is down|cluster is not reachable|kubeconfig secret|has been modified'
    r'|context canceled'
)

# A reason is one line; what comes after four complaints is in must-gather.
MOST_COMPLAINTS = 4

# What a text says about the culprit. The first match decides; the order matters: a quota message may name a network.
PATTERNS: tuple[tuple[str, type[Problem], str], ...] = (
    # Our own words about consoles (console.py), servers (machines.py) and pods (inside.py) come first: what follows
    # them may quote anything.
    (
        r'floating ip .*(is gone from the cloud|associated with no port)',
        NetworkProblem,
        'see who takes it away; at an upgrade CAPO 0.14.7 does: use a load balancer for the API server',
    ),
    # whose words may be "Forbidden: cannot be modified", and are no matter of rights
    (
        r'admission webhook "[^"]+" denied the request',
        ProductProblem,
        'fix the class: the message names the field or the patch',
    ),
    (r'^the system broke|^the console is empty', BootProblem, 'try the node image with a server of your own'),
    (r'^is gone from the cloud|its host or kubelet is down', BootProblem, 'see the host of the server, then try again'),
    (
        r'^kubelet does not become healthy',
        ProductProblem,
        "fix kubelet's arguments in the class: journalctl -u kubelet on the machine says which",
    ),
    (
        r'^cloud-init cannot use|^user data names what',
        ProductProblem,
        'fix files and commands of the class: the console in must-gather has the whole message',
    ),
    (
        r'^is lost: (the node has no pod of etcd|pod |nothing listens )',
        InfrastructureProblem,
        'delete the Machine of that node, Cluster API makes another one; the log of etcd, if any, is in must-gather',
    ),
    (r'^container [^ ]+ crashes', ProductProblem, 'fix the addon: the log of the pod is in must-gather'),
    (r'imagepullbackoff|errimage(never)?pull', ImageProblem, 'offer the image where the machines can pull it'),
    (r'quota|limit exceeded|maxipsreached|no more ip addresses', QuotaProblem, 'free resources or raise the quota'),
    (r'no valid host', CapacityProblem, 'free capacity in the cloud or use another flavor'),
    (
        r'no images? (were )?found|image\b.*not found|unable to find image|no image.*match|found 0 images',
        ImageProblem,
        'upload the node image that the stack names',
    ),
    (
        r'connection refused|no such host|i/o timeout|deadline exceeded|tls: |x509|no route to host|\b50[234]\b',
        NetworkProblem,
        'check the endpoint in the catalog and the way to it',
    ),
    (
        r'^kubeadm: .*(invalid value|unmarshal|unknown field|\[error )|^kubeadm: error:',
        ProductProblem,
        'fix the kubeadm configuration of the class: the console in must-gather has the whole message',
    ),
    (
        r'^a command of user data failed',
        ProductProblem,
        'fix files and commands of the class: the console in must-gather has the whole message',
    ),
    (r'authentication|unauthorized|\b401\b|policynotauthorized|forbidden', CredentialProblem, 'check the credential'),
    (
        r'failed to download release|failed to resolve',
        InfrastructureProblem,
        'publish the release where the operator looks for it',
    ),
    (
        r'doc is missing path|failed to apply patch|admission webhook|not declared|must be of type|no matches for kind',
        ProductProblem,
        'fix the class: the message names the field or the patch',
    ),
    (
        r'is invalid|required value|unsupported value|failed to create \w+template',
        ProductProblem,
        'fix the class: the message names the field or the patch',
    ),
    (
        r'(template|overwrite)\w*fail',
        ProductProblem,
        'fix the addon stage: render it with scs-ci check',
    ),
    (r'flavors? ', InfrastructureProblem, 'offer the flavor in the cloud, or set it with --variables'),
    (
        r'instance state|state error|in error state|^is [A-Z_]+ in the cloud',
        BootProblem,
        "read the server's fault and console log",
    ),
)


@dataclass(frozen=True)
class Complaint:
    """subject: kind and name; text: condition, event or failure message, on one line; depth: see DEPTH."""

    subject: str
    kind: str
    text: str
    depth: int


def complaints(objects: Iterable[Object], events: Iterable[Object] = ()) -> list[Complaint]:
    """Everything that is wrong, deepest first; what only waits for something else is left out."""
    found = [complaint for obj in objects for complaint in _of_object(obj)]
    found += [complaint for event in events for complaint in _of_event(event)]
    return deepest_first(found)


def deepest_first(found: Iterable[Complaint]) -> list[Complaint]:
    """Each once; of one layer, objects before logs."""
    return sorted(dict.fromkeys(found), key=lambda complaint: (-complaint.depth, complaint.subject))


def _of_object(obj: Object) -> list[Complaint]:
    kind, texts = str(obj.get('kind', '')), []
    failure = status(obj).get('failureMessage') or status(obj).get('errorMessage')
    if failure:
        texts.append(f'{status(obj).get("failureReason") or "failed"}: {failure}')
    texts += [condition_text(entry) for entry in conditions(obj) if _complains(entry)]
    if status(obj).get('instanceState') == 'ERROR':
        texts.append('instance state ERROR')
    return [Complaint(title(obj), kind, ' '.join(text.split()), DEPTH.get(kind, 0)) for text in texts]


def _complains(entry: dict[str, str]) -> bool:
    reason = entry.get('reason') or ''
    bad = entry.get('status') == 'False' and entry.get('type') not in HARMLESS
    return bad and bool(reason) and not WAITING.fullmatch(reason)


def log_complaints(controller: str, text: str, space: str, wanted: Sequence[str]) -> list[Complaint]:
    """The last error that a controller logged about one of the `wanted` names in that namespace.

    Some say what is wrong in their log alone, in no condition and no event: CAPO 0.14.7 when it cannot reach the cloud
    or finds no flavor, CSO when it cannot render a class chart.
    """
    lines = text.splitlines()
    for index in range(len(lines) - 1, -1, -1):
        line = lines[index]
        about = space in line and any(name in line for name in wanted)
        found = LOG_ERROR.search(line) if about else None
        if found and not LOG_NOISE.search(line):
            said = (
                [lines[index - 1]] if index and lines[index - 1].startswith('Error: ') else []
            )  # of a child, e.g. helm
            error = (found[1] or found[2]).replace('\\n', ' ').replace('\\"', '"')
            kind = LOG_KIND.search(line)
            named = kind[1] if kind else 'log'
            text = ' '.join(' '.join([error, *said]).split())
            return [Complaint(f'log of {controller}', named, text, DEPTH.get(named, 0))]
    return []


def _of_event(event: Object) -> list[Complaint]:
    """Warnings, and the operator's failures, which it reports as Normal."""
    reason = str(event.get('reason') or '')
    if event.get('type') != 'Warning' and 'Fail' not in reason:
        return []
    about = event.get('involvedObject') or event.get('regarding') or {}
    kind = str(about.get('kind') or '')
    text = ' '.join(f'{reason}: {event.get("message") or event.get("note") or ""}'.split())
    return [Complaint(f'{kind} {about.get("name")}', kind, text, DEPTH.get(kind, 0))]


def problem(what: str, subject: str, answer: str, found: Sequence[Complaint], product: bool) -> Problem:
    """The wait's bad end as a Problem. answer: where it stood; product: whom to blame when nobody complains.

    The deepest complaint leads and decides the verdict, the others follow.
    """
    kind, advice = _verdict(found, answer, product)
    return kind(what, subject, '; '.join([*_telling(found), _shortened(answer, found)]), advice)


def _telling(found: Sequence[Complaint]) -> list[str]:
    """The complaints that add something: a layer often repeats what the one below it said."""
    told: list[Complaint] = []
    for complaint in found:
        if not any(_message(complaint.text) in other.text for other in told):
            told.append(complaint)
    told = told[:MOST_COMPLAINTS]
    subjects = ['', *(complaint.subject for complaint in told)]  # one that says several things is named once
    return [
        c.text if c.subject == before else f'{c.subject}: {c.text}' for before, c in zip(subjects, told, strict=False)
    ]


def _shortened(answer: str, found: Sequence[Complaint]) -> str:
    """The answer without a message that the complaints hold already."""
    for complaint in found:
        answer = answer.replace(f': {_message(complaint.text)}', '')
    return answer


def _message(text: str) -> str:
    """`Ready=False OpenStackError: it failed` -> `it failed`."""
    return text.split(': ', 1)[-1]


def _verdict(found: Sequence[Complaint], answer: str, product: bool) -> tuple[type[Problem], str]:
    layers = [[c.text for c in found if c.depth == depth] for depth in sorted({c.depth for c in found}, reverse=True)]
    for texts in layers or [[answer]]:
        for pattern, kind, advice in PATTERNS:
            if any(re.search(pattern, text, re.IGNORECASE) for text in texts):
                return kind, advice
    leading = [complaint.kind for complaint in found if complaint.kind != 'log']
    fault = leading[0] in PRODUCT_KINDS if leading else product
    if fault:
        return ProductProblem, 'see the objects and events in must-gather'
    return InfrastructureProblem, "see the objects and the controllers' logs in must-gather, then try again"
