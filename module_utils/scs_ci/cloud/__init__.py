"""The cloud room: connection, ownership marks, inventory, preflight, nodes, purge.

Needs openstacksdk, PyYAML and cryptography and nothing else, for these modules also run on Zuul executors. SDK objects
are converted at the border (`inventory`, `observe`) into frozen dataclasses; decisions are pure functions on those.
"""
