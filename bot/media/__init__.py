"""Images: limited downloads, sanitizing what members attach, fitting results to upload limits, charts."""
