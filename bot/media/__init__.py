"""Pixels: bounded downloads, checks of references, results fitted to an upload limit."""
