"""One adapter per protocol: joins a wire to a manifest; `base` is the interface that all of them offer."""
