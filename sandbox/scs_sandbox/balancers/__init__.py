"""Load balancers: one HAProxy per balancer, in a network namespace of its own that is plugged into the network of its
address.
"""
