"""The rules about people that need no database."""
