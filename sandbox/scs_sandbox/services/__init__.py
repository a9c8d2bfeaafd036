"""What runs inside the OpenStack environment: the server of each project, drivers, database creation.
Imported by nothing outside of it."""
