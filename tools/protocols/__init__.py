"""One module per wire; knows no system by name."""
