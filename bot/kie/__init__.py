"""The client for KIE.ai: models, wire format, error codes, callback signatures and HTTP calls."""
