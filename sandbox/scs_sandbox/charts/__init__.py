"""Chart mirror: an HTTPS proxy in the lab that answers for chart hosts, from a directory or from upstream with a cache.

Clients set HTTPS_PROXY to it and trust its CA. So a release stays byte-identical: it names the real chart hosts.
"""
