"""Easel: a self-hosted Discord bot that makes images with KIE.ai's FLUX.2 models."""

VERSION = "0.1.0"
"""The same as in pyproject.toml, which is not there where only the packages are installed."""
