"""Scripts in processes of their own."""

import os
import subprocess
import sys
import textwrap


def run_python(script, *arguments, **variables):
    """Run a script in a new process, which finds the modules that this one finds, and has succeeded.

    Further arguments are those of the script; named ones are environment variables. Returns what it
    printed, as `stdout` and `stderr`.
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **variables},
    )
    assert done.returncode == 0, done.stderr
    return done
