"""The tour: a headless browser goes through the demo as a visitor does, and checks what it sees."""
