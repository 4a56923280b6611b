"""What both sides of the trust boundary speak. Copied into the sandbox; imports nothing else of the project."""
