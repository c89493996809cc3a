"""Requests and responses: access, limits, headers, errors and parts of pages, above `marketdata.common`."""
