"""Health of the service: probes for platforms, checks with reasons for people, and outside services."""
