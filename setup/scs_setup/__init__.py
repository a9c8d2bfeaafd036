"""Set-up of scs-ci: environments, Go programs and system packages. Standard library only, for a machine with nothing."""
