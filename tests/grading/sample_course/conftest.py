"""The hidden tests of the sample course are run by the grader, not by pytest itself."""

collect_ignore_glob = ["*"]
