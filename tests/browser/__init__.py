"""Pages of this repository in headless Chromium."""
