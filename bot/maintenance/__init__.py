"""What keeps the database in good order while the bot runs for years."""
