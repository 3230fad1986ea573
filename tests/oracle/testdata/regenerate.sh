#!/bin/sh
# Makes all traces of this folder again, those of random programs and readers too. ASYNCIO_ORACLE_PYTHON names the Python that
# does it; else it is the newest python3 that PATH or pyenv has.
set -eu
cd "$(dirname "$0")"

newest() {
	for dir in $(echo "$PATH" | tr : ' ') "${PYENV_ROOT:-$HOME/.pyenv}"/versions/*/bin; do
		for python in "$dir"/python3 "$dir"/python3.[0-9] "$dir"/python3.[0-9][0-9]; do
			[ -x "$python" ] || continue
			"$python" -c 'import sys; print(*sys.version_info[:3], sys.executable)' 2>/dev/null || :
		done
	done | sort -k1,1n -k2,2n -k3,3n | tail -n 1 | cut -d ' ' -f 4-
}

python=${ASYNCIO_ORACLE_PYTHON:-$(newest)}
[ -n "$python" ] || { echo 'no python3 found; name one in ASYNCIO_ORACLE_PYTHON' >&2; exit 1; }
"$python" kit.py
"$python" random/generate.py >random/programs.json.new
mv random/programs.json.new random/programs.json
"$python" reader/generate.py >reader/cases.json.new
mv reader/cases.json.new reader/cases.json
echo "made by $("$python" -VV)"
