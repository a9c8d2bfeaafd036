"""scs-ci: CI job library and nodepool helper for the cluster stacks of Sovereign Cloud Stack."""

__version__ = '0.1.0'
