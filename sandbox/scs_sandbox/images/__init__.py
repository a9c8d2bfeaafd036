"""Images of servers: a directory tree that all servers of an image share as the lower layer of their disk.

build_plain() makes (or finds) the tree `plain`, facts() says what Glance has to say about it.
"""

from .build import Facts, build_plain, facts, tree

__all__ = ['Facts', 'build_plain', 'facts', 'tree']
