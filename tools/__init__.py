"""What we do: everything that touches the world, each a typed async function or class."""
