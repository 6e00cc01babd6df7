"""Verify: the samples of published answers run, and their sources asked for."""
