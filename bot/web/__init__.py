"""The HTTP server for health checks, readiness and KIE's callbacks."""
