"""Easel killed at random moments and at every boundary between two steps, restarted, and audited at the end."""
