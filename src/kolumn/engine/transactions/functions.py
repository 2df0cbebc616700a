"""The contract's functions on transactions (spec 3.3.2): what is called between Begin and Commit is part of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from kolumn.contract import messages as m
from kolumn.contract.context import Context
from kolumn.contract.errors import KolumnError, OperationError, Problem, ValidationError
from kolumn.engine.function_group import FunctionGroup
from kolumn.engine.transactions import holding
from kolumn.engine.transactions.conversation import GIVEN_UP, Transaction, expired

_LONGEST = 365 * 24 * 3600

_ENDED: Mapping[str, str] = {
    "committed": "was committed already",
    "rolled_back": "was rolled back already",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionFunctions(FunctionGroup):
    """Begin, commit and roll back; with a savepoint's name, a part of the transaction that is open."""

    METHODS: ClassVar[Mapping[str, str]] = {
        "BeginTransaction": "begin",
        "CommitTransaction": "commit",
        "RollbackTransaction": "roll_back",
    }

    def begin(self, context: Context, request: m.TransactionRequest) -> m.TransactionResponse:
        """Open a transaction; with `savepoint`, a savepoint in the one that is open.

        Raises ValidationError for words and numbers that mean nothing, OperationError `nested_transaction`
        when one is open, StateError `locked` when somebody else is changing this database.
        """
        self.conversation.settle()
        problems = list(self._problems(request))
        if problems:
            raise ValidationError.of(problems)
        if request.savepoint:
            transaction = self._meant(request)
            if any(each.name == request.savepoint for each in transaction.savepoints):
                raise OperationError(
                    f"savepoint {request.savepoint} is open already. Give this one another name.",
                    code="savepoint_exists",
                )
            self.conversation.set_savepoint(context, request.savepoint)
            return _answer(transaction, "active")
        if (current := self.conversation.transaction) is not None:
            raise OperationError(
                f"transaction {current.id} is open. Commit it or roll it back first, or give a savepoint's name "
                "to open that inside it.",
                code="nested_transaction",
                details={"transaction_id": current.id},
            )
        levels = self.session.capabilities.isolation_levels
        transaction = self.conversation.begin(
            context,
            self.session,
            isolation=_folded(request.isolation) or levels[0],
            read_only=request.read_only,
            seconds=request.timeout_seconds or self.query_timeout,
        )
        return _answer(transaction, "active")

    def commit(self, context: Context, request: m.TransactionRequest) -> m.TransactionResponse:
        """Keep what was done; with `savepoint`, forget only that. Raises what `_meant` does."""
        self.conversation.settle()
        transaction = self._meant(request)
        if request.savepoint:
            self.conversation.release_savepoint(context, request.savepoint)
            return _answer(transaction, "active")
        return _answer(self.conversation.commit(context), "committed")

    def roll_back(self, context: Context, request: m.TransactionRequest) -> m.TransactionResponse:
        """Take back what was done, since `savepoint` where that is given. Raises what `_meant` does."""
        self.conversation.settle()
        transaction = self._meant(request)
        if request.savepoint:
            self.conversation.roll_back_to(context, request.savepoint)
            return _answer(transaction, "active")
        self.conversation.roll_back()
        return _answer(transaction, "rolled_back")

    def _problems(self, request: m.TransactionRequest) -> Iterator[Problem]:
        """Yield what is wrong with the request for a transaction or savepoint."""
        capabilities = self.session.capabilities
        levels = capabilities.isolation_levels
        if not levels:
            yield Problem(
                f"{capabilities.server} has no transactions that span calls",
                code="no_transactions",
                hint="Leave Begin and Commit away: each call is kept by itself.",
            )
            return
        if request.isolation and _folded(request.isolation) not in levels:
            yield Problem(
                f"{capabilities.server} knows no isolation {request.isolation[:100]!r}",
                code="unknown_isolation",
                path="isolation",
                hint=f"It knows: {', '.join(levels)}.",
            )
        if not 0 <= request.timeout_seconds <= _LONGEST:
            yield Problem(
                f"must be from 0 to {_LONGEST} (a year)", code="out_of_range", path="timeout_seconds"
            )
        if not request.savepoint:
            if request.transaction_id:
                yield Problem(
                    "the provider chooses the id of a transaction",
                    code="invalid",
                    path="transaction_id",
                    hint="Leave it out, or give a savepoint's name to open one inside this transaction.",
                )
            return
        if not capabilities.savepoints:
            yield Problem(f"{capabilities.server} has no savepoints", code="no_savepoints", path="savepoint")
        longest = capabilities.max_identifier
        if "\0" in request.savepoint or (longest and len(request.savepoint.encode()) > longest):
            yield Problem("is no name the database can have", code="invalid_name", path="savepoint")
        if request.isolation or request.read_only or request.timeout_seconds:
            yield Problem(
                "isolation, read_only and timeout_seconds are the transaction's, a savepoint has none",
                code="savepoint_options",
                path="savepoint",
                hint="Leave them out.",
            )

    def _meant(self, request: m.TransactionRequest) -> Transaction:
        """Return the open transaction a request means.

        Raises OperationError saying why it is not open: `transaction_expired`, `transaction_ended`,
        `unknown_transaction`, `no_transaction`; ConnectionError `transaction_lost`.
        """
        current, wanted = self.conversation.transaction, request.transaction_id
        if current is not None and wanted in ("", current.id):
            return current
        if not wanted:
            if (news := self.conversation.news()) is not None:
                raise news
            raise OperationError(
                "no transaction is open. Call BeginTransaction first.", code="no_transaction"
            )
        raise self._gone(wanted)

    def _gone(self, identifier: str) -> KolumnError:
        """Return why the transaction `identifier` is not open."""
        ended = self.conversation.ended(identifier)
        if ended is None:
            return OperationError(
                f"there is no transaction {identifier[:100]}. Ids are those that BeginTransaction returns, and "
                "hold for one connection.",
                code="unknown_transaction",
            )
        if ended.how in _ENDED:
            return OperationError(
                f"transaction {identifier} {_ENDED[ended.how]}.",
                code="transaction_ended",
                details={"status": ended.how},
            )
        self.conversation.news()  # this tells it
        return expired(ended.seconds) if ended.how == "expired" else holding.lost(GIVEN_UP)


def _folded(isolation: str) -> str:
    return " ".join(isolation.lower().replace("_", " ").replace("-", " ").split())


def _answer(transaction: Transaction, status: str) -> m.TransactionResponse:
    return m.TransactionResponse(
        success=True,
        transaction_id=transaction.id,
        status=status,  # type: ignore[arg-type]
        isolation=transaction.isolation,
        read_only=transaction.read_only,
        started_at=transaction.started_at,
        expires_at=transaction.expires_at,
    )
