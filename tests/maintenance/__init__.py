"""What runs beside the work: backups, retention."""
