"""The client for KIE.ai."""
