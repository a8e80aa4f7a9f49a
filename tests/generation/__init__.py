"""The life of a generation: real services, a real store, the stand-in for KIE, and a recording message sender."""
