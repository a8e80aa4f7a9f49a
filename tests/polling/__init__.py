"""The domain: pure functions and small objects, tried with tables and with properties."""
