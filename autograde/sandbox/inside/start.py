"""The first thing that runs in the sandbox: `python -I -S start.py PLAN`, PLAN being the path of a JSON file."""

from __future__ import annotations

import gc
import json
import os
import shutil
import sys


def start() -> None:
    with open(sys.argv[1]) as file:
        plan = json.load(file)
    sys.path[:0] = [plan["stage"], *plan["packages"]]
    if plan["uid"] is not None:
        from sandbox.inside import jail

        if plan["mode"] == "bubblewrap":
            # bubblewrap covers parts of /proc when root calls it; children may mount theirs only if one stands bare.
            jail.mount_own_processes()
        jail.become_user(plan["uid"], keep_reading=plan["readable"] if plan["mode"] == "landlock" else [])
    os.umask(0o077)
    # matplotlib writes beside its list of fonts, so it gets a copy.
    shutil.copytree(os.path.join(plan["stage"], "matplotlib"), os.environ["MPLCONFIGDIR"])
    # Imports make much and drop little: looking for garbage meanwhile costs more than a tenth of their time.
    gc.disable()
    from sandbox.inside.zygote import main

    main(plan)


start()
