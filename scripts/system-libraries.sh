#!/usr/bin/env bash
# Install what Qt, OpenGL and a virtual display need on Debian and Ubuntu; say the line to run where we may not.
# SYSTEM_LIBRARIES=skip goes on without them.
set -euo pipefail

packages=(
    xvfb                                                  # the virtual display of the tests and of a demo without a screen
    libegl1 libgl1 libgl1-mesa-dri                        # OpenGL, in software where there is no graphics card
    libdbus-1-3 libfontconfig1 libglib2.0-0 libxkbcommon-x11-0
    libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-randr0
    libxcb-render-util0 libxcb-shape0 libxcb-xinerama0    # Qt's platform plugin for X
)

[[ ${SYSTEM_LIBRARIES:-} == skip || $(uname -s) != Linux ]] && exit 0
if ! command -v apt-get >/dev/null; then
    command -v Xvfb >/dev/null && exit 0
    echo "Not a Debian or Ubuntu: please install Xvfb and Qt's xcb libraries, or set SYSTEM_LIBRARIES=skip." >&2
    exit 1
fi

# An ensurepip that is missing is Debian's way of splitting venv from Python.
if ! "${PYTHON:-python3}" -c 'import ensurepip, venv' 2>/dev/null; then
    packages+=(python3 python3-venv)
fi

missing=()
for package in "${packages[@]}"; do
    dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
[[ ${#missing[@]} -eq 0 ]] && exit 0

if [[ $(id -u) -eq 0 ]]; then
    as_root=()
elif command -v sudo >/dev/null && { [[ -t 0 ]] || sudo -n true 2>/dev/null; }; then
    as_root=(sudo)
else
    echo "Some system libraries are missing. Run this line as root, then make again (SYSTEM_LIBRARIES=skip goes on without):" >&2
    echo "    apt-get update && apt-get install --yes --no-install-recommends ${missing[*]}" >&2
    exit 1
fi

echo "Installing system libraries: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install --yes -qq --no-install-recommends "${missing[@]}"
