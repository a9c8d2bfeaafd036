"""One rule per module, each with `RULE`; see ../rule.py."""
