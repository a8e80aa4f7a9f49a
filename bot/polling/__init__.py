"""When to poll KIE for each task, from what recent tasks took. Pure: no I/O, no clock, no event loop."""
