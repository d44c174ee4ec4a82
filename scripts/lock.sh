#!/usr/bin/env bash
# Pin the development environment: lock.sh PYTHON LOCK. The package itself declares lower bounds only.
# Run it with the oldest Python that is to work (Debian 12's 3.11.2): some packages ask for a newer patch release.
set -euo pipefail
python=$1 lock=$2
environment=$(mktemp -d)
trap 'rm -rf "$environment"' EXIT

"$python" -m venv "$environment"
# PyTorch keeps its pin: a newer one is taken on purpose, by editing the lock.
"$environment/bin/python" -m pip install --quiet "$(grep '^torch==' "$lock")"
"$environment/bin/python" -m pip install --quiet --editable '.[dev]'
{
    echo "# Exact versions that \`make test\` and \`make demo\` run with; written by \`make lock\`."
    # A local build tag (+cpu) names a build, not a version; what a CUDA build brings along follows from PyTorch.
    "$environment/bin/python" -m pip freeze --exclude-editable | sed 's/+[a-z0-9.]*$//' \
        | grep -vE '^(cuda-|nvidia-|triton==)'
    # For the tests that compile kernels without a GPU; a CUDA build of PyTorch brings the one that fits it.
    echo "nvidia-cuda-nvrtc>=13 ; sys_platform == 'linux' and platform_machine == 'x86_64'"
} >"$lock.new"
mv "$lock.new" "$lock"
