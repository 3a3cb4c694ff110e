"""The bodies of durable jobs, and the worker that runs them. They only call agents and tools."""
