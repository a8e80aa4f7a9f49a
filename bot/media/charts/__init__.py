"""Charts: a picture of numbers, drawn by matplotlib in a process of its own."""
