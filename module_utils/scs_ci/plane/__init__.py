"""The management plane: an API server, Cluster API, its providers and a registry, as plain processes on one host."""
