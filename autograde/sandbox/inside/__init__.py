"""The untrusted side. Copied into the sandbox together with `shared`; nothing here is believed by the other side."""
