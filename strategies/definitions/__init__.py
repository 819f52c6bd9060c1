"""The strategies of the catalogue, one module each; ``strategies.registry`` lists them."""
