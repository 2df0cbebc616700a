"""The servers the tests run on are what they claim to be, and leave nothing behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from tests.servers import postgres


@pytest.mark.parametrize("version", postgres.versions())
def test_a_server_starts_and_says_its_version(version):
    server = postgres.server(version)
    with psycopg.connect(server.url) as connection:
        assert connection.info.server_version // 10000 == version
        assert connection.execute("SHOW server_encoding").fetchone() == ("UTF8",)
        assert connection.execute(
            "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
        ).fetchone() == (True,)


@pytest.mark.parametrize("version", postgres.versions())
def test_its_programs_are_of_its_version(version):
    server = postgres.server(version)
    with server.database() as url:
        server.programs.run("psql", "-X", "-c", "CREATE TABLE things (id int)", url)
        dump = server.programs.run("pg_dump", "--schema-only", url)
    assert "CREATE TABLE public.things" in dump
    assert f"Dumped by pg_dump version {version}." in dump


@pytest.mark.parametrize("version", postgres.versions())
def test_a_database_is_empty_and_gone_afterwards(version):
    server = postgres.server(version)
    with server.database() as url:
        open_one = psycopg.connect(url)
        assert open_one.execute(
            "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        ).fetchone() == (0,)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(url)


@pytest.mark.skipif("KOLUMN_TEST_POSTGRES_URL" in os.environ, reason="the server is not ours to stop")
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGKILL])
def test_a_server_ends_with_the_process_that_started_it(kind):
    postgres.server(15)  # skips where there is none
    command = [sys.executable, "-m", "tests.servers", "postgres", "15"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    ) as process:
        url = process.stdout.readline().split()[1]
        psycopg.connect(url).close()
        process.send_signal(kind)
        process.wait(20)
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            return
        time.sleep(0.05)
    pytest.fail("the server still runs")
