"""Tests of the KIE stand-in, by topic."""
