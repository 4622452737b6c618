"""The private servers and the runner: what they do when things are not as they left them."""

import socket
import stat

import psycopg
import pytest
import redis

from config import env
from config.local import keys
from config.local import run as runner
from config.local.console import Trouble
from config.local.servers import Postgres, Servers


@pytest.fixture(params=["short", "a path that is too long for a socket " * 4])
def servers(request, tmp_path):
    servers = Servers(tmp_path / request.param.strip(), durable=False)
    yield servers
    servers.stop()


def answer(addresses):
    with psycopg.connect(addresses["DATABASE_URL"]) as connection:
        return connection.execute("SELECT current_database()").fetchone()[0]


def test_servers_start_answer_keep_their_data_and_stop(servers):
    addresses = servers.start()
    assert answer(addresses) == "opentab"
    assert redis.Redis.from_url(addresses["REDIS_URL"]).ping()
    with psycopg.connect(addresses["DATABASE_URL"]) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1")
    assert servers.start() == addresses, "a second start finds the first"
    servers.stop()
    assert not servers.running()
    with psycopg.connect(servers.start()["DATABASE_URL"]) as connection:
        assert connection.execute("SELECT * FROM kept").fetchone() == (1,)


def test_only_the_owner_enters_the_folder_of_the_sockets(servers):
    servers.start()
    assert stat.S_IMODE(servers.sockets.stat().st_mode) == 0o700


def test_a_pid_file_left_by_a_crash_does_not_keep_postgres_from_starting(tmp_path):
    servers = Servers(tmp_path, durable=False)
    servers.start(redis=False)
    servers.stop()
    # The number of a process that lives, but is not PostgreSQL: this one.
    (tmp_path / "pg" / "data" / "postmaster.pid").write_text("1\n/nowhere\n")
    try:
        assert answer(servers.start(redis=False)) == "opentab"
    finally:
        servers.stop()


def test_a_set_up_that_was_cut_short_is_begun_again(tmp_path):
    (tmp_path / "pg" / "draft").mkdir(parents=True)
    (tmp_path / "pg" / "draft" / "PG_VERSION").write_text("18")
    servers = Servers(tmp_path, durable=False)
    try:
        assert answer(servers.start(redis=False)) == "opentab"
    finally:
        servers.stop()


def test_a_broken_database_is_named_with_the_way_out(tmp_path):
    (tmp_path / "pg" / "data").mkdir(parents=True)
    with pytest.raises(Trouble, match="is not a whole database. Remove .*pg to start anew"):
        Servers(tmp_path).start(redis=False)


def test_data_of_another_version_is_named(tmp_path):
    data = tmp_path / "pg" / "data"
    (data / "global").mkdir(parents=True)
    (data / "global" / "pg_control").touch()
    (data / "PG_VERSION").write_text("15\n")
    with pytest.raises(Trouble, match="was made by PostgreSQL 15, and this is 18"):
        Servers(tmp_path).start(redis=False)


def test_what_postgres_says_reaches_the_person(tmp_path):
    servers = Servers(tmp_path, durable=False)
    postgres = Postgres(servers)
    servers.start(redis=False)
    servers.stop()
    (postgres.data / "postgresql.conf").write_text("max_connections = many\n")
    with pytest.raises(Trouble, match="max_connections"):
        servers.start(redis=False)


def test_a_busy_port_is_named_with_another_to_take():
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(Trouble, match=rf"Port {port} cannot be used.*make run PORT={port + 1}"):
            runner._check_free(runner.Address("127.0.0.1", port))


def test_a_second_run_from_the_same_folder_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "LOCAL", tmp_path)
    with (
        runner._only_one(),
        pytest.raises(Trouble, match="already runs from this folder: process"),
        runner._only_one(),
    ):
        pass


def test_secrets_are_made_once_and_only_for_their_owner(tmp_path):
    path = keys.ensure(tmp_path / "new")
    first = path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert keys.ensure(tmp_path / "new").read_text() == first


def test_a_secret_that_came_later_is_added_to_those_there(tmp_path):
    (tmp_path / "secrets.env").write_text("DEBUG=1\nSECRET_KEY=mine\n")
    lines = keys.ensure(tmp_path).read_text().splitlines()
    assert lines[:2] == ["DEBUG=1", "SECRET_KEY=mine"]
    assert {line.partition("=")[0] for line in lines} == set(keys.MAKERS)


def test_the_environment_wins_over_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENTAB_TEST_A", "environment")
    monkeypatch.setenv("OPENTAB_TEST_B", "")
    monkeypatch.delenv("OPENTAB_TEST_B")
    (tmp_path / "x.env").write_text("# a note\nOPENTAB_TEST_A=file\nOPENTAB_TEST_B=a=b\n")
    env.load(tmp_path / "x.env")
    assert env.text("OPENTAB_TEST_A") == "environment"
    assert env.text("OPENTAB_TEST_B") == "a=b"
    monkeypatch.delenv("OPENTAB_TEST_B")
