# syntax=docker/dockerfile:1
# fervid's web app in a container. The models are inside; while it runs it fetches nothing.
#
#   docker build -t fervid .
#   docker run --rm -p 127.0.0.1:8642:8642 -v fervid:/data fervid
#
# compose.yaml adds PostgreSQL and Redis.

# The pages: Node.js is needed here alone.
FROM node:22-bookworm-slim AS pages
WORKDIR /build/frontend
COPY frontend/package.json frontend/package-lock.json frontend/.npmrc ./
RUN npm ci --no-audit --no-fund
COPY frontend ./
RUN npm run build

# The package, and what it needs, in a virtual environment of its own.
FROM python:3.13-slim-bookworm AS package
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
COPY . .
COPY --from=pages /build/frontend/node_modules frontend/node_modules
COPY --from=pages /build/src/fervid/web/static src/fervid/web/static
# Pages from the cache can be older than a checkout that holds the same: they are current, so they are given today's time.
RUN touch src/fervid/web/static/index.html \
 && python -m venv /opt/fervid \
 && pip wheel --no-deps --wheel-dir /wheels . \
 && /opt/fervid/bin/pip install "$(ls /wheels/fervid-*.whl)[web,postgres,redis]" \
 && /opt/fervid/bin/pip check

FROM python:3.13-slim-bookworm
LABEL org.opencontainers.image.title="fervid" \
      org.opencontainers.image.description="Reads facial expressions, offline on a CPU" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=package /opt/fervid /opt/fervid
# A user by number, whom orchestrators can see not to be root, and the one folder that this user may write to.
RUN install --directory --owner=10001 --group=10001 /data
ENV PATH=/opt/fervid/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    MPLCONFIGDIR=/tmp/matplotlib \
    FERVID_HOST=0.0.0.0 \
    FERVID_PORT=8642 \
    FERVID_DATA_DIR=/data
USER 10001:10001
WORKDIR /data
VOLUME ["/data"]
EXPOSE 8642
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import os, ssl, urllib.request as u; e = os.environ; s = 's' * bool(e.get('FERVID_SSL_CERTFILE')); u.urlopen(f'http{s}://127.0.0.1:{e[\"FERVID_PORT\"]}/api/v1/health', timeout=4, context=ssl._create_unverified_context()).close()"]
ENTRYPOINT ["fervid"]
CMD ["serve"]
