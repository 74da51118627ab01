# Demo, load test and the `tailrace` command. Built from the repository's root; docker/README.md tells how.
FROM python:3.11.15-slim-bookworm AS builder

# Build tools stay in a venv of their own, so that the one shipped has neither pip nor hatchling.
COPY docker/build-requirements.txt docker/demo-requirements.txt /src/docker/
# Both secrets are optional: a package index and authorities of your own, gone after the step.
RUN --mount=type=secret,id=pip-conf,target=/etc/pip.conf \
    --mount=type=secret,id=ca-certificates,target=/etc/ssl/certs/ca-certificates.crt \
    python -m venv /opt/build \
    && python -m venv --without-pip /opt/tailrace \
    && /opt/build/bin/pip install --no-cache-dir --require-hashes --only-binary :all: \
        -r /src/docker/build-requirements.txt \
    && /opt/build/bin/pip --python /opt/tailrace/bin/python install --no-cache-dir --no-compile --require-hashes \
        --only-binary :all: -r /src/docker/demo-requirements.txt

COPY libs /src/libs
COPY services /src/services
RUN /opt/build/bin/pip wheel --no-index --no-deps --no-build-isolation --wheel-dir /src/wheels \
        /src/libs/* /src/services/* \
    && /opt/build/bin/pip --python /opt/tailrace/bin/python install --no-index --no-deps --no-compile \
        /src/wheels/*.whl \
    # Nobody can write bytecode later: the root is read-only. Unchecked, since no source changes in an image.
    && /opt/tailrace/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/tailrace/lib


FROM python:3.11.15-slim-bookworm

LABEL org.opencontainers.image.title="tailrace-demo" \
      org.opencontainers.image.description="Tailrace's demo, load test and command line." \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="docker.io/library/python:3.11.15-slim-bookworm"

COPY LICENSE /usr/share/doc/tailrace/LICENSE
COPY --from=builder /opt/tailrace /opt/tailrace
COPY loadtest /opt/loadtest

# Safe path: no module is taken from the working directory.
ENV PATH=/opt/tailrace/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PYTHONSAFEPATH=1 \
    PYTHONPATH=/opt/loadtest

# A number, since Kubernetes' runAsNonRoot cannot see what a name stands for.
USER 10001:10001
WORKDIR /
STOPSIGNAL SIGTERM
# What follows the image's name is a module: `tailrace_demo`, `tailrace_cli init`, `locust -f /opt/loadtest/...`.
ENTRYPOINT ["python", "-m"]
CMD ["tailrace_demo"]
