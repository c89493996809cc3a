"""Outlets of telemetry: Application Insights, OpenCensus and Prometheus."""
