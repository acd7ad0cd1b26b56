#!/usr/bin/env bash
# Write every notebook as .ipynb beside itself, for Colab and Jupyter:
#
#     uv run scripts/export_to_ipynb.sh [SOURCE]
#
# SOURCE is what pip installs this project from in Colab: git+https://… or a wheel on Drive. Without it, the repository's
# remote `origin`, or where there is none, the wheel that `uv build --wheel` makes, in the project's folder on Drive.

set -euo pipefail
cd "$(dirname "$0")/.."

for module in marimo nbformat; do
    if ! python -c "import $module" 2> /dev/null; then
        echo "error: $module is missing: install the dependency group notebooks, or run uv run $0" >&2
        exit 1
    fi
done

for notebook in */notebooks/*.py; do
    python -m marimo export ipynb --sort top-down "$notebook" | python scripts/for_colab.py "${notebook%.py}.ipynb" "$@"
done
