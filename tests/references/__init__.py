"""What independent libraries say, stored, and the scripts that asked them."""
