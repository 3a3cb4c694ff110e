"""How it is reached: the command line now, HTTP and the portal later; thin."""
