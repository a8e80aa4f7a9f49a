"""The web server: health, readiness, KIE's callbacks."""
