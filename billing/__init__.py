"""What is sold and who may use it."""
