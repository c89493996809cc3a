"""A server that speaks SQL Server's protocol (TDS 7.4), for tests of drivers on a wire.

It is not SQL Server: the protocol, the types of values and the drivers are real; what statements mean is
SQLite's, into whose words they are put, with some of SQL Server's strictness added.
docs/decisions/0043-a-server-for-the-wire.md says what that is good for.
"""
