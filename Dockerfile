# Easel in a container: deploy/compose.yaml, or
# docker build -t easel . && docker run -v ./config.toml:/app/config.toml:ro -v easel-data:/app/data easel
# The bot is user 999 in the container, who has to be able to read config.toml: chmod 600 config.toml && chown 999 config.toml
# Token and keys can be container secrets: EASEL__DISCORD__TOKEN_FILE=/run/secrets/discord_token, see config.example.toml.

# The digest is the index of all platforms. Dependabot proposes newer ones (.github/dependabot.yml); by hand:
# docker buildx imagetools inspect python:3.11-slim
FROM python:3.11.16-slim-trixie@sha256:9c900dea9e8fb7e16277c179b555cc72d29a352dbc33cff48ad5a0412fd5bfc7 AS base

FROM base AS build
# As in the Makefile: nothing is installed without a hash, and pyvips, which has no wheel, is built with what is pinned.
COPY requirements/ requirements/
RUN python -m venv /opt/easel && /opt/easel/bin/python -m pip install --no-cache-dir --disable-pip-version-check \
      --require-hashes --only-binary :all: -r requirements/build.txt \
 && /opt/easel/bin/python -m pip install --no-cache-dir --disable-pip-version-check \
      --require-hashes --only-binary :all: --no-binary pyvips --no-build-isolation -r requirements/run.txt \
 && /opt/easel/bin/python -m pip uninstall --yes setuptools pip
COPY LICENSE /app/
COPY bot/ /app/bot/
COPY cogs/ /app/cogs/
# A checkout with umask 077 has files that only their owner can read. The bot itself cannot write compiled files.
RUN chmod -R a+rX /app && python -m compileall -q --invalidation-mode unchecked-hash /app

FROM base
LABEL org.opencontainers.image.title="Easel" \
      org.opencontainers.image.description="A self-hosted Discord bot that makes and edits images with KIE.ai's FLUX.2 models" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.base.name="python:3.11.16-slim-trixie"
COPY --from=build /opt/easel /opt/easel
COPY --from=build /app /app
# SQLite's temporary files go where the bot can write, also with `docker run --read-only`.
ENV PATH=/opt/easel/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 SQLITE_TMPDIR=/app/data
WORKDIR /app
# The id is fixed, because the volume outlives the image.
RUN useradd --system --uid 999 --user-group --home-dir /app easel && mkdir -m 700 data && chown easel:easel data
USER easel

VOLUME /app/data
EXPOSE 8080
# The command reads the same settings, so it asks at web.host and web.port.
HEALTHCHECK --interval=30s --timeout=10s --start-period=20s CMD ["python", "-m", "bot", "health"]

ENTRYPOINT ["python", "-m", "bot"]
CMD ["run"]
