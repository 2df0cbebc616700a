"""Statements down one connection and results back: as many as there are in one round trip.

libpq's pipeline mode: https://www.postgresql.org/docs/current/libpq-pipeline-mode.html
"""

from __future__ import annotations

import contextlib
import re
import select
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

from kolumn.contract.context import Context
from kolumn.contract.errors import KolumnError, OperationError, ValidationError
from kolumn.contract.secrets import SecureString
from kolumn.engine.operations import Statement
from kolumn.providers.postgres.connection import faults
from kolumn.providers.postgres.connection.confidential import SECRETS, RolePassword

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.abc import Transformer as AnyTransformer
    from psycopg.errors import Diagnostic
    from psycopg.pq.abc import PGconn, PGresult

Row = tuple[Any, ...]
Take = Callable[[int, list[Row]], None]
"""Called with the number of each statement that worked, from 0, and the rows it returned."""

_TICK = 0.5
"""Seconds after which a cancelled statement that still runs is cancelled again."""
_GRACE = 10.0
"""Seconds a server has to answer a cancellation before its connection is given up."""

_MARK = re.compile(r"%(.?)", re.DOTALL)
_QUERY = re.compile(r"\s*(?:select|with)\b", re.IGNORECASE)

_prepared: WeakKeyDictionary[Connection[Any], dict[str, bytes]] = WeakKeyDictionary()
"""The names of the queries that a connection's server has planned, by their texts."""


class _Turn(NamedTuple):
    """What one answer of the server is about."""

    at: int
    """The number of the statement."""
    name: bytes = b""
    """Under which it is prepared; empty where it is run."""


def exchange(
    context: Context,
    connection: Connection[Any],
    statements: Sequence[Statement],
    take: Take | None = None,
    *,
    together: bool = True,
    in_transaction: bool = False,
    again: bool = False,
) -> None:
    """Run statements and hand their rows to `take`, in order.

    `together` sends them in one pipeline: outside of a transaction they then are one by themselves, and what
    cannot run in a transaction fails. Otherwise there is one round trip for each. In a Statement with
    parameters `%s` stands for a value and `%%` for a percent sign; without, its text is sent as it is.
    Raises the fault of the first statement that failed, the one after those taken; the rest is not run.
    `in_transaction` is for the words of the error when the connection breaks. `again` says that the same queries
    will be asked on this connection again: then the server plans those without parameters once, which takes it
    longer than running them on a small database.
    """
    if not statements:
        return
    for statement in statements:
        _verify(statement)
    with _Stop(context, connection) as stop:
        call = _Exchange(context, connection, stop, take, in_transaction=in_transaction)
        connection.add_notice_handler(call.heed)
        try:
            if together:
                call.pipeline(statements, again=again)
            else:
                for number, statement in enumerate(statements):
                    context.check()
                    call.single(number, statement)
        except KolumnError:
            raise
        except BaseException:
            connection.close()  # nobody can know where in the conversation it stopped
            raise
        finally:
            connection.remove_notice_handler(call.heed)


def copy_out(
    context: Context, connection: Connection[Any], text: str, take: Callable[[bytes], object]
) -> int:
    """Run a `COPY ... TO STDOUT` and hand on what the server sends; return the number of rows."""
    with _copying(context, connection, text), connection.cursor() as cursor:
        with cursor.copy(text.encode()) as copy:
            for piece in copy:
                take(bytes(piece))
        return cursor.rowcount


def copy_in(context: Context, connection: Connection[Any], text: str, pieces: Iterable[bytes]) -> int:
    """Run a `COPY ... FROM STDIN` with what `pieces` yields; return the number of rows."""
    with _copying(context, connection, text), connection.cursor() as cursor:
        with cursor.copy(text.encode()) as copy:
            for piece in pieces:
                copy.write(piece)
        return cursor.rowcount


@contextlib.contextmanager
def _copying(context: Context, connection: Connection[Any], text: str) -> Iterator[None]:
    """Stop a COPY when the context ends, and turn the driver's errors into those of the contract."""
    import psycopg

    statement = Statement(text)
    with _Stop(context, connection):
        try:
            yield
        except psycopg.Error as error:
            if connection.closed or error.pgresult is None:
                connection.close()
                raise faults.lost(str(error), in_transaction=True, statement=statement) from None
            raise faults.translate(faults.Report.of(error.pgresult), context, statement) from None


class _Exchange:
    """One conversation with the server, until the first error."""

    def __init__(
        self,
        context: Context,
        connection: Connection[Any],
        stop: _Stop,
        take: Take | None,
        *,
        in_transaction: bool,
    ) -> None:
        from psycopg import OperationalError
        from psycopg.adapt import Transformer
        from psycopg.pq import ConnStatus

        self._context = context
        self._connection = connection
        self._pg: PGconn = connection.pgconn
        self._transformer: AnyTransformer = Transformer(connection)
        self._stop = stop
        self._take = take
        self._broken = OperationalError
        self._bad = ConnStatus.BAD
        self._in_transaction = in_transaction
        self._poll = select.poll()  # select() takes no descriptor above 1023
        self._literals: list[SecureString] = []
        """Secrets as they are sent, so that errors which quote them are masked."""
        self._refusal: faults.Report | None = None
        """A warning that what the statement under way asks for was not done."""

    def heed(self, notice: Diagnostic) -> None:
        """Remember a warning that is an error to whoever relies on the statement."""
        if notice.sqlstate in faults.REFUSALS:
            self._refusal = faults.Report(state=notice.sqlstate, message=notice.message_primary or "")

    def pipeline(self, statements: Sequence[Statement], *, again: bool = False) -> None:
        """Send all statements, then read the result of each."""
        from psycopg.pq import ExecStatus

        known = _prepared.setdefault(self._connection, {}) if again else None
        turns: list[_Turn] = []
        turn = 0
        failure: KolumnError | None = None
        try:
            self._pg.enter_pipeline_mode()
            for at, statement in enumerate(statements):
                if known is None or statement.parameters or not _QUERY.match(statement.text):
                    self._send(statement)
                else:
                    turns += self._prepare(at, statement.text, known)
                turns.append(_Turn(at))
            self._pg.pipeline_sync()
            while True:
                result = self._next()
                if result is None:  # the end of one turn's results
                    turn += 1
                    continue
                if result.status == ExecStatus.PIPELINE_SYNC:
                    break
                at, name = turns[turn]
                if failure is not None:
                    continue
                if name and known is not None and result.status == ExecStatus.COMMAND_OK:
                    known[statements[at].text] = name
                else:
                    failure = self._accept(at, statements[at], result)
            self._pg.exit_pipeline_mode()
        except self._broken as error:
            at = turns[turn].at if turn < len(turns) else len(statements) - 1
            raise self._lost(error, statements[at], failure) from None
        if failure is not None:
            raise failure

    def _prepare(self, at: int, text: str, known: Mapping[str, bytes]) -> list[_Turn]:
        """Send a query by the name it is prepared under, with its text before if the server does not know it yet."""
        name = known.get(text)
        if name is not None:
            self._pg.send_query_prepared(name, None)
            return []
        name = f"kolumn_{blake2b(text.encode(), digest_size=12).hexdigest()}".encode()
        self._pg.send_prepare(name, text.encode())
        self._pg.send_query_prepared(name, None)
        return [_Turn(at, name)]

    def single(self, number: int, statement: Statement) -> None:
        """Send one statement by itself and read its result."""
        failure: KolumnError | None = None
        try:
            self._send(statement)
            while (result := self._next()) is not None:
                failure = failure or self._accept(number, statement, result)
        except self._broken as error:
            raise self._lost(error, statement, failure) from None
        if failure is not None:
            raise failure

    def _accept(self, number: int, statement: Statement, result: PGresult) -> KolumnError | None:
        """Hand on the rows of a result, or return what it says went wrong."""
        from psycopg.pq import ExecStatus

        match result.status:
            case ExecStatus.TUPLES_OK | ExecStatus.COMMAND_OK | ExecStatus.EMPTY_QUERY:
                refusal, self._refusal = self._refusal, None
                if refusal is not None:
                    return faults.translate(refusal, self._context, statement)
                if self._take is not None:
                    self._take(number, self._rows(result))
                return None
            case ExecStatus.FATAL_ERROR:
                report = faults.Report.of(result)
                if report.is_loss:
                    return faults.lost(
                        report.message, in_transaction=self._in_transaction, statement=statement
                    )
                return faults.translate(report, self._context, statement)
            case status:
                self._connection.close()  # a COPY waits for data that nobody has
                return OperationError(
                    f"the statement does something that Kolumn does not run ({ExecStatus(status).name}).",
                    code="unsupported_statement",
                    details={"statement": statement.text[:2000]},
                )

    def _rows(self, result: PGresult) -> list[Row]:
        if not result.ntuples:
            return []
        self._transformer.set_pgresult(result)
        return self._transformer.load_rows(0, result.ntuples, tuple)

    def _send(self, statement: Statement) -> None:
        if not statement.parameters:
            self._pg.send_query_params(statement.text.encode(), None)
            return
        from psycopg.adapt import PyFormat

        plain = [each for each in statement.parameters if not isinstance(each, SECRETS)]
        values = self._transformer.dump_sequence(plain, [PyFormat.TEXT] * len(plain))
        self._pg.send_query_params(
            self._filled(statement).encode(),
            values,
            param_types=self._transformer.types,
            param_formats=self._transformer.formats,
        )

    def _filled(self, statement: Statement) -> str:
        """Return the text as it is sent: values by number, secrets as literals, as DDL takes no values."""
        if not any(isinstance(each, SECRETS) for each in statement.parameters):
            return _numbered(statement.text)
        values = iter(statement.parameters)
        number = 0

        def fill(mark: re.Match[str]) -> str:
            nonlocal number
            if mark[1] != "s":
                return _unmarked(mark)
            value = next(values)
            if isinstance(value, SECRETS):
                return self._literal(value)
            number += 1
            return f"${number}"

        return _MARK.sub(fill, statement.text)

    def _literal(self, secret: SecureString | RolePassword) -> str:
        revealed = secret.verifier(self._pg) if isinstance(secret, RolePassword) else secret.reveal()
        literal = self._transformer.as_literal(revealed).decode()
        self._literals.append(SecureString(literal.strip().removeprefix("E").strip("'")))
        return literal

    def _next(self) -> PGresult | None:
        """Wait for the next result, None at the end of a statement's; sends on what is still to be sent."""
        pg = self._pg
        while pg.is_busy():
            wanted = select.POLLIN | (select.POLLOUT if pg.flush() else 0)
            self._poll.register(pg.socket, wanted)
            found = self._poll.poll(_TICK * 1000)
            if not found:
                self._stop.insist()
            elif found[0][1] & ~select.POLLOUT:
                pg.consume_input()
        result = pg.get_result()
        if result is None and pg.status == self._bad:
            raise self._broken("the server closed the connection unexpectedly")
        return result

    def _lost(self, error: Exception, statement: Statement, failure: KolumnError | None) -> KolumnError:
        """Return that the connection broke, in the server's words if it said any."""
        self._connection.close()
        if failure is not None:
            return failure
        return faults.lost(str(error), in_transaction=self._in_transaction, statement=statement)


class _Stop:
    """Cancels what runs on a connection when its context ends, and nothing that runs later."""

    def __init__(self, context: Context, connection: Connection[Any]) -> None:
        self._context = context
        self._connection = connection
        # Reentrant: a signal handler may cancel in the very thread that holds it.
        self._lock = threading.RLock()
        self._active = True
        self._asked = 0.0

    def __enter__(self) -> _Stop:
        self._context.check()
        self._unregister = self._context.on_cancel(self._cancel)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._unregister()
        with self._lock:  # waits for a cancellation under way: it must not meet the next statement
            self._active = False

    def insist(self) -> None:
        """Cancel again what still runs, as a server between two statements overhears it; at last give up."""
        if not self._asked:
            return
        if time.monotonic() - self._asked > _GRACE:
            self._connection.close()
            try:
                self._context.check()
            except OperationError as ended:
                raise OperationError(
                    f"{ended.message} The server did not answer the request to stop, so its connection was "
                    "closed: what was under way may go on there.",
                    code=ended.code,
                ) from None
        with contextlib.suppress(Exception):  # there is another try, and an end to them
            self._cancel()

    def _cancel(self) -> None:
        self._asked = self._asked or time.monotonic()
        with self._lock:
            if self._active:
                self._connection.cancel_safe(timeout=_GRACE / 4)


def _verify(statement: Statement) -> None:
    """Refuse what cannot travel. Raises ValidationError."""
    fault = "a zero byte" if "\0" in statement.text else ""
    try:
        statement.text.encode()
    except UnicodeEncodeError:
        fault = "half of a surrogate pair"
    if fault:
        raise ValidationError(
            f"a statement holds {fault}, which PostgreSQL has no text for. Remove it from the configuration.",
            code="invalid_text",
            details={"statement": ascii(statement.text[:2000])},
        )


@lru_cache(maxsize=1024)
def _numbered(text: str) -> str:
    number = 0

    def fill(mark: re.Match[str]) -> str:
        nonlocal number
        if mark[1] != "s":
            return _unmarked(mark)
        number += 1
        return f"${number}"

    return _MARK.sub(fill, text)


def _unmarked(mark: re.Match[str]) -> str:
    if mark[1] == "%":
        return "%"
    raise ValueError(f"a % that is no mark in a statement with parameters: {mark[0]!r}")
