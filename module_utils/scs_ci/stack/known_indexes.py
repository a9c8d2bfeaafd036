"""What the chart repositories of the public stacks offered on a day: the last resort where nobody can be asked.

A published version does not vanish, so what is listed here need not be looked up; what is missing is looked up, if the
network may be used. Each minor has its patches: `1.18:0-12` means 1.18.0 to 1.18.12. Pre-releases are left out.
"""

from __future__ import annotations

# repository -> (day of its index, chart -> versions); `indexes.compact` makes the text of an index.
KNOWN: dict[str, tuple[str, dict[str, str]]] = {
    'https://helm.cilium.io': (
        '2026-08-03',
        {
            'cilium': (
                '1.6:5-12 1.7:0-16 1.8:0-13 1.9:0-18 1.10:0-20 1.11:0-20 1.12:0-19 1.13:0-18 1.14:0-19 1.15:0-19 '
                '1.16:0-13,15-19 1.17:0-18 1.18:0-12 1.19:0-6 1.20:0'
            ),
        },
    ),
    'https://kubernetes-sigs.github.io/metrics-server': (
        '2026-06-11',
        {
            'metrics-server': ('3.5:0 3.6:0 3.7:0 3.8:0-4 3.9:0 3.10:0 3.11:0 3.12:0-2 3.13:0-1'),
        },
    ),
    'https://kubernetes.github.io/cloud-provider-openstack': (
        '2026-05-13',
        {
            'openstack-cinder-csi': (
                '1.2:2,13-14 1.3:7-9 1.4:8-9 2.1:0-1 2.2:0-1 2.3:0 2.24:0 2.25:0-1 2.26:0 2.27:0-3 2.28:0-3 '
                '2.29:0,2 2.30:0,2-3 2.31:0-2,7 2.32:0,2 2.33:0-1 2.34:0-1,3 2.35:0 2.36:0'
            ),
            'openstack-cloud-controller-manager': (
                '1.0:0-2 1.1:1-2 1.2:0 1.3:0 1.4:0 2.24:0 2.25:0-1 2.26:0,5 2.27:0-1,3-6 2.28:0-5 2.29:0-3 '
                '2.30:0-5 2.31:0-1,3 2.32:0 2.33:0-1 2.34:0-2 2.35:0 2.36:0'
            ),
            'openstack-manila-csi': (
                '0.2:1 1.0:5 1.1:1-2 1.3:2-3 1.4:0 1.5:0 1.6:0 2.24:0 2.25:0-1 2.26:0 2.27:0-3 2.28:0-3 2.29:0 '
                '2.30:0,2-3 2.31:0-1,3-5 2.32:0 2.33:0-1 2.34:0-2 2.35:0 2.36:0'
            ),
        },
    ),
}
