# Easel in a container: docker build -t easel . && docker run -v ./config.toml:/app/config.toml:ro -v easel-data:/app/data easel
# The bot is user 999 in the container, who has to be able to read config.toml: chmod 600 config.toml && chown 999 config.toml
# Token and keys can be container secrets: EASEL__DISCORD__TOKEN_FILE=/run/secrets/discord_token, see config.example.toml.
FROM python:3.11-slim

# SQLite's temporary files go where the bot can write, also with `docker run --read-only`.
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 SQLITE_TMPDIR=/app/data
WORKDIR /app

# As in the Makefile: nothing is installed without a hash, and pyvips, which has no wheel, is built with what is pinned.
COPY requirements/ requirements/
RUN python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes \
      --only-binary :all: -r requirements/build.txt \
 && python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes \
      --only-binary :all: --no-binary pyvips --no-build-isolation -r requirements/run.txt

COPY bot/ bot/
COPY cogs/ cogs/
# A checkout with umask 077 has files that only their owner can read. The id is fixed, because the volume outlives the image.
RUN chmod -R a+rX bot cogs \
 && useradd --system --uid 999 --user-group --home-dir /app easel && mkdir -m 700 data && chown easel:easel data
USER easel

VOLUME /app/data
EXPOSE 8080
# The command reads the same settings, so it asks at web.host and web.port.
HEALTHCHECK --interval=30s --timeout=10s --start-period=20s CMD ["python", "-m", "bot", "health"]

ENTRYPOINT ["python", "-m", "bot"]
CMD ["run"]
