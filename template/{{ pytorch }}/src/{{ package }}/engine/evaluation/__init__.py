"""What is measured of a finished run."""
