"""Read-only questions to an address, each bounded, each answering with findings."""
