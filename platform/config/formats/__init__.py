"""How instants are written where Django writes them: in the lists of operators."""
