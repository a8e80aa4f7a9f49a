"""The KIE client against the KIE stand-in, and a strict schema of createTask bodies."""
