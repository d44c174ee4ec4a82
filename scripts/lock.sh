#!/usr/bin/env bash
# Pin the development environment: lock.sh PYTHON LOCK. The package itself declares lower bounds only.
set -euo pipefail
python=$1 lock=$2
environment=$(mktemp -d)
trap 'rm -rf "$environment"' EXIT

"$python" -m venv "$environment"
"$environment/bin/python" -m pip install --quiet --editable '.[dev]'
{
    echo "# Exact versions that \`make test\` and \`make demo\` run with; written by \`make lock\`."
    # A local build tag (+cpu) names a build, not a version.
    "$environment/bin/python" -m pip freeze --exclude-editable | sed 's/+[a-z0-9.]*$//'
} >"$lock.new"
mv "$lock.new" "$lock"
