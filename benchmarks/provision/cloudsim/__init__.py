"""A cloud of the imagination: the OpenStack APIs that scs-ci uses, in this process, on a virtual clock.

Unmodified code talks to it through openstacksdk, keystoneauth and requests; only the last step, sending bytes, is
replaced. Seconds are virtual and threads take turns, so calls, order and times are the same at every run.
"""
