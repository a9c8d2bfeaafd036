"""The cloud of a sandbox: seven OpenStack services as data, databases, template, clone and processes."""
