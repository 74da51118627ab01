#!/bin/sh
# Sets up what the tests need from outside of .venv: curl, Chromium, a C compiler, Prometheus, HAProxy and
# Redis. `make test` calls it first.
# Node needs nothing: the wheel of playwright brings one along. Where there is no npm, one comes from PyPI.
set -eu
cd "$(dirname "$0")/.."
log=build/tests-setup.log

list_missing() {
    command -v curl >/dev/null || printf ' curl'
    command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null ||
        printf ' chromium'
    # For the load generator. Without libc's headers a compiler is of no use.
    command -v gcc >/dev/null || printf ' gcc libc6-dev'
    command -v prometheus >/dev/null || printf ' prometheus'
    # Debian has it where only root's PATH leads.
    command -v haproxy >/dev/null || [ -x /usr/sbin/haproxy ] || printf ' haproxy'
    command -v redis-server >/dev/null || printf ' redis-server'
}

install_missing() {
    mkdir -p build
    echo "setup: installing$1 with apt-get, for the tests (a minute or two; log in $log)"
    # shellcheck disable=SC2086 # one word a package
    # RUNLEVEL: what is installed is not started as a service.
    if ! { apt-get update && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y $1; } >"$log" 2>&1 </dev/null; then
        tail -n 20 "$log" >&2
        echo "setup: apt-get failed; these are its last lines, the others are in $log" >&2
    fi
}

command -v npm >/dev/null || [ -x .venv/bin/npm ] || {
    echo "setup: installing npm from PyPI, for the tests"
    .venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r tests/npm-requirements.txt ||
        echo "setup: npm cannot be had: tests/client_js and tests/conformance/test_third_party.py want it" >&2
}

missing=$(list_missing)
if [ -n "$missing" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    install_missing "$missing"
    missing=$(list_missing)
fi

for program in $missing; do
    case $program in
    curl) tests=tests/conformance/test_curl.py ;;
    chromium) tests=tests/browser ;;
    gcc) tests=tests/loadtest ;;
    prometheus) tests=tests/k8s/test_monitoring.py ;;
    haproxy) tests=tests/loadtest/test_rolling.py ;;
    redis-server) tests=tests/producer/contrib/test_celery.py ;;
    *) continue ;;
    esac
    case ${CI:-} in
    '' | 0 | false) outcome="will be skipped" ;;
    *) outcome="will fail, since CI is set" ;;
    esac
    echo "setup: $program is missing: $tests $outcome." >&2
    echo "setup: to install it: apt-get install -y $program as root on Debian, else put it on the PATH" >&2
done
