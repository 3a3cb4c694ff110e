"""What may be done about a fault: an enumerated list, each reversible, each verified, none writing into a PMS."""
