"""`python -m autograde`: the `course` command, also where it is not on the PATH."""

from autograde.command import main

main()
