"""Stories as members live them: the real bot on a simulated Discord, with a stand-in for KIE."""
