"""What Easel knows, with no I/O."""
