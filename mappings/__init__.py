"""What we compute: the matching engine; pure, deterministic, without I/O, usable alone as a library."""
