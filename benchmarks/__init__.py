"""What `make bench` measures: one module a question, each with a `main()` that prints ratios of one run."""
