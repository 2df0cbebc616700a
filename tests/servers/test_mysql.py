"""The MySQL and MariaDB servers are what they claim to be, and leave nothing behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pymysql
import pytest

from tests.servers import mysql


@pytest.mark.parametrize(("product", "words"), [("mysql", "9."), ("mariadb", "10.11.")])
def test_a_server_starts_and_says_its_version(product, words):
    server = mysql.server(product)
    ((version, account),) = mysql.execute(server.url, "SELECT version(), current_user()")
    assert version.startswith(words)
    assert ("MariaDB" in version) == (product == "mariadb")
    assert account.startswith("root@")


@pytest.mark.parametrize("product", mysql.PRODUCTS)
def test_its_programs_dump_what_a_database_holds(product):
    server = mysql.server(product)
    with server.database() as url:
        name = url.rpartition("/")[2]
        server.programs.run(
            [*server.programs.client, *server.flags(), name], script="CREATE TABLE things (id int)"
        )
        dump = server.programs.run([*server.programs.dump, *server.flags(), "--no-data", name])
        assert "CREATE TABLE `things`" in dump
    with pytest.raises(pymysql.OperationalError, match="Unknown database"):
        mysql.connect(url)


@pytest.mark.parametrize("product", mysql.PRODUCTS)
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGKILL])
def test_a_server_ends_with_the_process_that_started_it(product, kind):
    if f"KOLUMN_TEST_{product.upper()}_URL" in os.environ:
        pytest.skip("the server is not ours to stop")
    mysql.server(product)  # skips where there is none
    command = [sys.executable, "-m", "tests.servers", product]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    ) as process:
        url = process.stdout.readline().split()[1]
        mysql.connect(url).close()
        process.send_signal(kind)
        process.wait(30)
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            mysql.connect(url).close()
        except pymysql.OperationalError:
            return
        time.sleep(0.1)
    pytest.fail("the server still runs")
