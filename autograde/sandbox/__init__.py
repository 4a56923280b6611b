"""The trust boundary: a jailed process that runs student code, and the strict format that crosses to it."""
