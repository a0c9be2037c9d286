"""The model that runs on this machine when no endpoint is set."""
