"""The life of a generation: the real rooms, the real store, the stand-in for KIE, and a recording deliverer."""
