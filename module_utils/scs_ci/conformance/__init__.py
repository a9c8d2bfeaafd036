"""Conformance of a running cluster: specs of Kubernetes' e2e suite through one of three runners, judged by us."""
