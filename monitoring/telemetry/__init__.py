"""Exporters of telemetry: Application Insights, OpenCensus and Prometheus."""
