"""What every room shares: outcomes, errors, records, the run directory, time, child processes, redaction.

Only the standard library is imported here: these modules travel to Zuul executors, which have openstacksdk and little
else.
"""
