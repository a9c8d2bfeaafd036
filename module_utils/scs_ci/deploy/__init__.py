"""From a published release to a cluster: objects in the management cluster, waits, and words for a bad end."""
