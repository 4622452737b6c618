"""The first step from a fresh clone: .venv with everything in it. Needs nothing but Python itself.

python3 -I config/local/install.py
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
STAMP = os.path.join(VENV, "installed")
REQUIREMENTS = os.path.join(ROOT, "requirements.txt")
OLDEST = (3, 11)


def main():
    if sys.version_info < OLDEST:
        found = ".".join(str(part) for part in sys.version_info[:2])
        return (
            f"OpenTab needs Python 3.11 or newer; this is {found}. With another: make run PYTHON=python3.11"
        )
    if read(STAMP) == wanted():
        return None
    return make_venv() or install()


def wanted():
    """What the stamp says when .venv is up to date. The path counts: a venv does not survive being moved."""
    packages = hashlib.sha256(read(REQUIREMENTS).encode()).hexdigest()
    return f"{packages}\n{VENV}\n"


def read(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def make_venv():
    if whole():
        return None
    if os.path.lexists(VENV):
        print("  .venv is not whole, or was moved here: making it anew", flush=True)
        shutil.rmtree(VENV, ignore_errors=True)
    print("  Making .venv ...", flush=True)
    done = subprocess.run([sys.executable, "-m", "venv", VENV], capture_output=True, text=True)
    if done.returncode == 0:
        return None
    shutil.rmtree(VENV, ignore_errors=True)
    if "ensurepip" in done.stdout + done.stderr:
        return "This Python cannot make a venv. On Debian: apt-get install python3-venv"
    return "Making .venv failed:\n" + (done.stdout + done.stderr).strip()


def whole():
    """True when .venv was made here, not copied or moved here, and can install."""
    here = VENV in read(os.path.join(VENV, "pyvenv.cfg"))
    return here and subprocess.run([PYTHON, "-c", "import pip"], capture_output=True).returncode == 0


def install():
    total = len(re.findall(r"^[A-Za-z0-9]", read(REQUIREMENTS), flags=re.MULTILINE))
    print(f"  Installing {total} packages (the first time takes a minute or two)", flush=True)
    started = time.monotonic()
    # Not compiled: Python does that itself for the half that is ever used, which saves a third of the time.
    command = [PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--no-compile"]
    command += ["-r", REQUIREMENTS]
    pip = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT)
    said = follow(pip.stdout, total)
    if pip.wait():
        return "\n".join(
            [*said[-15:], "", "pip could not install the packages (see above). Is there a network?"]
        )
    with open(STAMP, "w") as file:
        file.write(wanted())
    print(f"  Installed in {time.monotonic() - started:.0f} s", flush=True)
    return None


def follow(lines, total):
    """Show one line of progress where pip would print hundreds, and return what pip said."""
    said, seen = [], 0
    for line in lines:
        said.append(line.rstrip())
        if re.match(r"(Collecting|Requirement already satisfied:) ", line):
            seen += 1
            package = re.split(r"satisfied: |Collecting ", line)[1].split()[0]
            progress(f"{min(seen, total):3d}/{total} {package}")
        elif line.startswith("Installing collected packages"):
            progress("unpacking")
    if sys.stdout.isatty():
        print("\r\033[K", end="")
    return said


def progress(text, every=25):
    if sys.stdout.isatty():
        print("\r\033[K    " + text, end="", flush=True)
    elif not text[:3].strip().isdigit() or int(text[:3]) % every == 0:
        print("    " + text, flush=True)


if __name__ == "__main__":
    try:
        trouble = main()
    except KeyboardInterrupt:
        trouble = "\nStopped. Nothing is lost: the next run goes on from here."
    except OSError as problem:
        trouble = f"{problem.filename}: {problem.strerror}. Was it made by another account?"
    if trouble:
        print(trouble, file=sys.stderr)
        sys.exit(1)
