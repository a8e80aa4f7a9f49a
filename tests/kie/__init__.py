"""The KIE client against the stand-in, and a strict schema of what may be sent to KIE."""
