"""Easel: a self-hosted Discord bot that makes images with KIE.ai's FLUX.2 models."""

VERSION = "0.1.0"
"""The one place for it: pyproject.toml has the build read it here."""
