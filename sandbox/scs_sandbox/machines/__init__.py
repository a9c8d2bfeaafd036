"""Servers as system containers: systemd as process 1 in namespaces and control groups of its own, on an overlay over a
shared tree.
"""
