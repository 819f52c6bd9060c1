"""What templates can load."""
