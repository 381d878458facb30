"""The client, against scripted peers and applications in this process."""
