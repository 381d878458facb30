"""Every example as it stands, and the demo in all its parts."""
