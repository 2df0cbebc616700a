"""The lock among all sessions on one database."""

from __future__ import annotations

import threading
import time

import pytest

from kolumn.contract.context import Context
from kolumn.contract.errors import (
    OperationError,
    StateError,
)
from kolumn.providers.postgres.connection.session import PostgresSession
from tests.providers.postgres.sessions import (
    FOREVER,
    Other,
    S,
    in_thread,
    opened,
)


class TestLock:
    def test_one_holds_it_and_the_other_hears_who(self, database: str, session: PostgresSession) -> None:
        with opened(database, application_name="the other one") as holder, holder.lock(FOREVER, "apply"):
            with (
                pytest.raises(StateError, match="the other one") as caught,
                session.lock(FOREVER.with_timeout(0.3), "apply"),
            ):
                pass
            found = caught.value.details["holder"]
            assert (found["user"], found["application"]) == ("postgres", "the other one")
            assert isinstance(found["pid"], int)
            with session.lock(FOREVER.with_timeout(5), "another"):
                pass
        with session.lock(FOREVER.with_timeout(5), "apply"):
            pass

    def test_the_setting_limits_the_wait_without_a_deadline(
        self, database: str, session: PostgresSession
    ) -> None:
        with (
            session.lock(FOREVER, "apply"),
            opened(database, lock_timeout=0.2) as waiting,
            pytest.raises(StateError),
            waiting.lock(FOREVER, "apply"),
        ):
            pass

    def test_it_is_waited_for(self, database: str, session: PostgresSession) -> None:
        order: list[str] = []
        with opened(database) as holder:
            with holder.lock(FOREVER, "apply"):

                def wait() -> None:
                    with session.lock(FOREVER.with_timeout(10), "apply"):
                        order.append("second")

                thread = in_thread(wait)
                time.sleep(0.3)
                order.append("first")
            thread.join(10)
        assert order == ["first", "second"]

    def test_waiting_is_cancelled(self, database: str, session: PostgresSession) -> None:
        context = Context()
        with opened(database) as holder, holder.lock(FOREVER, "apply"):
            threading.Timer(0.2, context.cancel).start()
            with pytest.raises(OperationError) as caught, session.lock(context, "apply"):
                pass
            assert caught.value.code == "cancelled"

    def test_it_ends_with_its_connection(self, database: str, session: PostgresSession, other: Other) -> None:
        with opened(database, application_name="gone") as holder, holder.lock(FOREVER, "apply"):
            other.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'gone'"
            )
            with session.lock(FOREVER.with_timeout(5), "apply"):
                pass

    def test_who_waits_does_not_hold_up_an_index(self, database: str, session: PostgresSession) -> None:
        session.run(FOREVER, [S("CREATE TABLE t (id int)")])
        with opened(database) as waiting, session.lock(FOREVER, "apply"):

            def wait() -> None:
                with waiting.lock(FOREVER.with_timeout(30), "apply"):
                    pass

            thread = in_thread(wait)
            time.sleep(0.2)
            session.run(FOREVER.with_timeout(10), [S("CREATE INDEX CONCURRENTLY i ON t (id)")])
        thread.join(10)
        assert not thread.is_alive()
