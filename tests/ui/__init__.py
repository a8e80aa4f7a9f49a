"""Discord's face of Easel, without a Discord."""
