"""How well: simulators, suites, data sets, benchmarks."""
