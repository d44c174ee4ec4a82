#!/usr/bin/env bash
# Make the virtual environment: setup.sh PYTHON VENV LOCK
set -euo pipefail
python=$1 venv=$2 lock=$3

"$python" - <<'CHECK' || { echo "napari-gmsr needs Python 3.11 or newer; name one with: make PYTHON=python3.11 ..." >&2; exit 1; }
import sys
sys.exit(sys.version_info < (3, 11))
CHECK

[[ -x $venv/bin/pip ]] || "$python" -m venv "$venv"
pip=("$venv/bin/python" -m pip --disable-pip-version-check)
torch=$(grep '^torch==' "$lock")

# PyTorch first, and on its own, because which build fits depends on the machine, which no lock file can say.
#  - A CUDA device, or not Linux: the ordinary package index has the right build (CUDA on Linux; CPU or Metal elsewhere).
#  - Linux without one: the ordinary index would bring gigabytes of CUDA libraries for nothing. Where the configured index
#    (a mirror, say) already answers with a CPU build, that is taken; otherwise PyTorch's own CPU index is tried, by itself:
#    as an extra index it would stall offline mirrors and could answer for other packages. Where it cannot be reached, the
#    ordinary build works too, only larger.
cpu_build_from_configured_index() {
    "${pip[@]}" install --quiet --dry-run --ignore-installed --no-deps --report - "$torch" | grep -q '"version": *"[^"]*+cpu"'
}

if ! "$venv/bin/python" -c "import importlib.metadata as m; assert m.version('torch').split('+')[0] == '${torch#torch==}'" 2>/dev/null; then
    if [[ $(uname -s) == Linux ]] && ! nvidia-smi --list-gpus >/dev/null 2>&1 && ! cpu_build_from_configured_index; then
        "${pip[@]}" --retries 1 --timeout 15 install --no-deps --index-url https://download.pytorch.org/whl/cpu "$torch" \
            || echo "PyTorch's CPU index cannot be reached: taking the larger ordinary build." >&2
    fi
fi

# The lock then finds torch as it is, and brings it from the ordinary index where it is not there yet.
"${pip[@]}" install --quiet --requirement "$lock"
"${pip[@]}" install --quiet --no-deps --editable .
