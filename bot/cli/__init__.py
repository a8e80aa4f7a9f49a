"""The command line. Each module imports what its command needs when that is run: the bot takes a second to import."""
