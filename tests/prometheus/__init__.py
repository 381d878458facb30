"""Tests of bareasgi-prometheus."""
