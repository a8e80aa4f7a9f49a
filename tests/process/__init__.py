"""The bot as a process of its own, between a loopback Discord and a stand-in for KIE."""
