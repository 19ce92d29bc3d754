#!/usr/bin/env bash
# Installs the Chromium that tests/browser.py drives: Debian's, by apt, as root.
# Does nothing where there is one: at $CHROMIUM, or at /usr/bin/chromium.
set -euo pipefail

chromium=${CHROMIUM:-/usr/bin/chromium}
if [ -x "$chromium" ]; then
  exit 0
fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "install-browser: needs root and apt-get; install Chromium yourself (on Debian:" \
    "sudo apt-get install chromium) and set CHROMIUM to its path if it is not $chromium" >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends chromium >/dev/null
