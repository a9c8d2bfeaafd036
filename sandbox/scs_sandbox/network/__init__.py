"""The network of a sandbox: a complete snapshot of Neutron's objects becomes namespaces, links, addresses and nftables
rules.
"""
