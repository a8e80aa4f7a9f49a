"""Downloads, sanitizing, fitting, charts, and the files they keep."""
