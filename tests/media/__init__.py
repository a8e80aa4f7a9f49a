"""Downloads, references, fitting and the spool."""
