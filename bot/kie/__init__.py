"""The client for KIE.ai: its catalogue, its wire shapes, its codes, and the calls."""
