"""The nn.Modules that graphs are made of."""
