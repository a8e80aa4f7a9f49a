"""Easel: a self-hosted Discord bot that makes pictures with KIE.ai's FLUX.2 models."""
