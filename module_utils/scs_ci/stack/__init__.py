"""Cluster stacks: find, read, check, render, build and publish them. Knows no cloud and no cluster."""
