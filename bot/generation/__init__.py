"""The life of a generation: accept, submit, track, deliver, recover."""
