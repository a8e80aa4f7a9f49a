"""Tests of the demo's page and its panel."""
