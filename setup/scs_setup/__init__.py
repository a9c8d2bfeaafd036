"""Set-up of scs-ci: environments, Go programs, system packages. Standard library only, for a machine with nothing."""
