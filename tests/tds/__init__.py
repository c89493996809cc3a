"""A server that speaks SQL Server's protocol (TDS 7.4), for tests of drivers on a wire.

It is not SQL Server: the protocol, the types of values and the drivers are real; what statements mean is
SQLite's, into whose words they are put, with some of SQL Server's strictness added.
README.md in this folder describes its parts.
"""
