"""The demo: the real bot on a simulated Discord and a local KIE stand-in."""
