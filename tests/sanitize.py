"""Runs the kernels' tests with what is compiled under the address and undefined-behaviour
sanitizers of GCC, once for AVX-512 and once for AVX2: `make sanitize`.

Python itself is not compiled under them, so that their library has to be loaded before all others.
"""

import os
import shlex
import subprocess
import sys
from pathlib import Path

from model.layers.kernels import build

ROOT = Path(__file__).parents[1]

FLAGS = (
    # Not -O3: the tiles of a product, all inlined, would take minutes to compile.
    "-O1 -g1 -fno-omit-frame-pointer "
    # The last one is not among those of "undefined". What one reports ends the process.
    "-fsanitize=address,undefined,float-cast-overflow -fno-sanitize-recover=all"
)
VARIANTS = {"AVX-512": ("avx512f", "", 16), "AVX2": ("avx2", "-mno-avx512f", 8)}
"""For each the ability of a processor that it needs, its option, and the lanes of a vector."""

TESTS = (
    "tests/model/layers/kernels/test_library.py",
    "tests/model/layers/test_paths.py",
    "tests/model/generation/test_stepper.py",
)
OPTIONS = "--capture=sys", "-k", "not other_processors"
"""Reports must reach the terminal, though the process ends with them. The test that is left out
compiles for other processors, as the variants do, and takes long here."""

COMPILE = """
import sys
from model.layers.kernels import build, library
build.TIMEOUT = 1800.0  # the sanitizers make much code of little
for bfloat16 in (False, True):
    compiled = library.kernels(bfloat16)
    if compiled is None:
        sys.exit("the kernels do not compile")
    if compiled.lanes() != int(sys.argv[1]):
        sys.exit(f"a vector has {compiled.lanes()} numbers, not {sys.argv[1]}")
"""


def environment() -> dict[str, str] | None:
    """Return the variables under which programs compile and run with sanitizers; None without."""
    for compiler in build._compilers():
        command = [*compiler, "-print-file-name=libasan.so"]
        library = subprocess.run(command, capture_output=True, text=True).stdout.strip()
        # Clang has a library of its own, and finds GCC's.
        if (
            Path(library).is_absolute()
            and "clang" not in build._run([*compiler, "--version"]).stdout
        ):
            return {
                **os.environ,
                build.MORE_FLAGS: FLAGS,
                build.SWITCH: "1",
                # The compiler does without: it would become slow.
                "CC": shlex.join(["env", "-u", "LD_PRELOAD", *compiler]),
                # libstdc++ too: without it torch's exceptions end in the sanitizer.
                "LD_PRELOAD": f"{library} libstdc++.so.6",
                "ASAN_OPTIONS": "detect_leaks=0",  # Python's own, at its end
                "UBSAN_OPTIONS": "print_stacktrace=1",
                "PYTHONMALLOC": "malloc",  # so that the ends of its objects are guarded as well
            }
    return None


def run(variables: dict[str, str], *words: str, **options) -> subprocess.CompletedProcess:
    """Run Python at the root of the project."""
    return subprocess.run([sys.executable, *words], cwd=ROOT, env=variables, **options)


def main() -> int:
    """Return the exit status: 0 if all went well, or nothing of it can be done here."""
    variables = environment()
    if variables is None:
        print("skipped: there is no GCC here that has its sanitizers (libasan.so)")
        return 0
    failed = 0
    for name, (ability, option, lanes) in VARIANTS.items():
        if ability not in build._processor().split():
            print(f"{name}: skipped, this processor has none")
            continue
        print(
            f"{name}: compiling (minutes, unless it lies in the cache), then the tests", flush=True
        )
        own = {**variables, build.MORE_FLAGS: f"{FLAGS} {option}"}
        compiled = run(own, "-c", COMPILE, str(lanes)).returncode == 0
        failed |= not compiled or run(own, "-m", "pytest", *TESTS, *OPTIONS).returncode != 0
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
