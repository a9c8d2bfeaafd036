"""scs-sandbox: an OpenStack cloud with real servers and a real network on one machine."""

__version__ = '0.1.0'
