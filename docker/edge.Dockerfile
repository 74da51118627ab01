# The edge alone. Built from the repository's root; docker/README.md tells how.
FROM python:3.11.15-slim-bookworm AS builder

# Build tools stay in a venv of their own, so that the one shipped has neither pip nor hatchling.
COPY docker/build-requirements.txt docker/edge-requirements.txt /src/docker/
# Both secrets are optional: a package index and authorities of your own, gone after the step.
RUN --mount=type=secret,id=pip-conf,target=/etc/pip.conf \
    --mount=type=secret,id=ca-certificates,target=/etc/ssl/certs/ca-certificates.crt \
    python -m venv /opt/build \
    && python -m venv --without-pip /opt/tailrace \
    && /opt/build/bin/pip install --no-cache-dir --require-hashes --only-binary :all: \
        -r /src/docker/build-requirements.txt \
    && /opt/build/bin/pip --python /opt/tailrace/bin/python install --no-cache-dir --no-compile --require-hashes \
        --only-binary :all: -r /src/docker/edge-requirements.txt

COPY libs/protocol /src/libs/protocol
COPY services/edge /src/services/edge
RUN /opt/build/bin/pip wheel --no-index --no-deps --no-build-isolation --wheel-dir /src/wheels \
        /src/libs/protocol /src/services/edge \
    && /opt/build/bin/pip --python /opt/tailrace/bin/python install --no-index --no-deps --no-compile \
        /src/wheels/*.whl \
    # Nobody can write bytecode later: the root is read-only. Unchecked, since no source changes in an image.
    && /opt/tailrace/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/tailrace/lib


FROM python:3.11.15-slim-bookworm

LABEL org.opencontainers.image.title="tailrace-edge" \
      org.opencontainers.image.description="The Tailrace edge: follows the log, streams it over SSE." \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="docker.io/library/python:3.11.15-slim-bookworm"

COPY LICENSE /usr/share/doc/tailrace/LICENSE
COPY --from=builder /opt/tailrace /opt/tailrace

# Safe path: no module is taken from the working directory.
ENV PATH=/opt/tailrace/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PYTHONSAFEPATH=1 \
    TAILRACE_HOST=0.0.0.0

# A number, since Kubernetes' runAsNonRoot cannot see what a name stands for.
USER 10001:10001
WORKDIR /
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "-m", "tailrace_edge"]
