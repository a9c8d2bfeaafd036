"""How stacks lie in a checkout: names of directories and files."""

from __future__ import annotations

CLASS_DIR = 'cluster-class'
ADDON_DIR = 'cluster-addon'
ADDON_CONFIG = 'clusteraddon.yaml'
# A: one minor per directory, for csctl. B: one directory per minor, with a builder of its own. historic: one directory
# per minor from before csctl, which has a class chart and says its version in metadata.yaml at best.
LAYOUT_A, LAYOUT_B, LAYOUT_HISTORIC = 'A', 'B', 'historic'
# What csctl, or the builder of layout B, reads first.
TOOL_CONFIG = {LAYOUT_A: 'csctl.yaml', LAYOUT_B: 'stack.yaml', LAYOUT_HISTORIC: 'metadata.yaml'}
# Where the checks imagine a ClusterStack to be; the class is rendered for this namespace.
CLASS_NAMESPACE = 'scs-ci'
