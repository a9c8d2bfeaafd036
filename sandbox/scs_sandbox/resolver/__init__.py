"""Names in the lab: servers of one's own networks, everything else from the host's resolver when it has one."""
