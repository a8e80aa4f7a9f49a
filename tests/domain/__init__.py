"""The domain: pure functions and small objects, tested with tables and properties."""
