"""Why an integration fails: evidence by read-only probes, a posterior over root causes."""
