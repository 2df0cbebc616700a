"""Views (https://dev.mysql.com/doc/refman/9.4/en/create-view.html)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from kolumn.engine.declaration import attribute, one_of, replaced
from kolumn.engine.resource import Ref
from kolumn.providers.mysql.connection.server import Server
from kolumn.providers.mysql.handler import MySQLHandler
from kolumn.providers.mysql.language.accounts import account_sql, definer_of
from kolumn.providers.mysql.language.fragments import embedded
from kolumn.providers.mysql.language.qualifying import unqualified
from kolumn.providers.mysql.language.tokens import fold, qualified, quote, unquote
from kolumn.providers.mysql.reading import Entry, Key, Reading, Row
from kolumn.sql.handlers import ViewHandler
from kolumn.sql.model import View

IMPLIED_ALGORITHM = "undefined"
_SHOWN = re.compile(
    r"CREATE ALGORITHM=(?P<algorithm>\w+) DEFINER=(?:`(?:[^`]|``)*`@`(?:[^`]|``)*`|\S+) SQL SECURITY \w+ VIEW "
    r"(?:`(?:[^`]|``)*`\.)?`(?:[^`]|``)*`(?: \((?P<columns>(?:`(?:[^`]|``)*`,? ?)+)\))? AS (?P<query>.*)",
    re.DOTALL,
)


@dataclass(frozen=True)
class MySQLView(View):
    """A view."""

    algorithm: str = attribute(
        "How the server joins it with queries",
        default=IMPLIED_ALGORITHM,
        validators=[one_of("undefined", "merge", "temptable")],
        grammar="keyword",
    )
    definer: str = attribute(
        "Account whose rights count: `name@host`; whoever creates it when left out",
        default="",
        kept=True,
        grammar="account",
        guards="security",
    )
    security: str = attribute(
        "Whose rights count: definer or invoker",
        default="definer",
        validators=[one_of("definer", "invoker")],
        grammar="keyword",
        guards="security",
    )
    check_option: str = attribute(
        "Whether changed rows must be visible through the view: local, or cascaded to the views below",
        default="",
        validators=[one_of("", "local", "cascaded")],
        grammar="keyword",
        guards="integrity",
    )


class MySQLViewHandler(MySQLHandler[View], ViewHandler):
    """Views, changed in place by CREATE OR REPLACE."""

    type = "view"
    description = "A view: a query with a name"
    MODEL = MySQLView
    KEYWORD: ClassVar[str] = "VIEW"
    IN_PLACE: ClassVar[frozenset[str]] = frozenset(
        {"columns", "definition", "algorithm", "definer", "security", "check_option"}
    )

    def queries(self, server: Server) -> Mapping[str, str]:
        """Return the query of all views."""
        algorithm = "algorithm" if server.is_mariadb else "'UNDEFINED'"
        return {
            "views": f"""
SELECT table_schema, table_name, view_definition, check_option, definer, security_type, {algorithm}
FROM information_schema.views WHERE {{in_databases:table_schema}}
"""
        }

    def shown(self, rows: Mapping[str, list[Row]], server: Server) -> Mapping[Key, str]:
        """Return SHOW CREATE VIEW of each: information_schema leaves out names of columns and character sets."""
        return {
            (self.type, row[0], row[1]): f"SHOW CREATE VIEW {qualified(row[0], row[1])}"
            for row in rows["views"]
        }

    def entries(self, reading: Reading) -> Iterator[Entry]:
        """Yield the views."""
        for row in reading.rows["views"]:
            ref = Ref(self.type, fold(row[1]), reading.place(row[0]))
            said = reading.shown.get((self.type, row[0], row[1]), ("", ""))[1]
            yield Entry(ref, (*row, said), aside=reading.is_aside(row[0]))

    def build(self, entry: Entry, reading: Reading) -> MySQLView:
        """Return the view, its query without the name of its own database."""
        schema, name, definition, check, definer, security, algorithm, said = entry.row
        columns: tuple[str, ...] = ()
        if found := _SHOWN.match(said):
            algorithm, definition = found["algorithm"], found["query"]
            if check != "NONE":
                definition = re.sub(r"(?i)\s+WITH (LOCAL |CASCADED )?CHECK OPTION\s*$", "", definition)
            if found["columns"]:
                columns = tuple(unquote(each) for each in re.findall(r"`(?:[^`]|``)*`", found["columns"]))
        return MySQLView(
            name=name,
            schema=reading.schema(schema),
            columns=columns,
            definition=unqualified(definition, reading.server.database),
            algorithm=algorithm.lower(),
            definer=definer_of(definer, reading.server),
            security=security.lower(),
            check_option="" if check == "NONE" else check.lower(),
        )

    def uses(self, model: View) -> frozenset[Ref]:
        """Return what the query may read and call."""
        return (super().uses(model) | self.named_in(model.definition, model.schema)) - {self.ref(model)}

    def definition_sql(self, model: View, server: Server) -> Iterator[str]:
        """Yield CREATE VIEW."""
        yield self._create(model, "CREATE")

    def alteration_sql(
        self, before: View, after: View, fields: tuple[str, ...], server: Server
    ) -> Iterator[str]:
        """Yield CREATE OR REPLACE VIEW, which keeps what was granted on it."""
        yield self._create(after, "CREATE OR REPLACE")

    def _create(self, model: View, verb: str) -> str:
        assert isinstance(model, MySQLView)
        words = [verb, f"ALGORITHM = {model.algorithm.upper()}"]
        if model.definer:
            words.append(f"DEFINER = {account_sql(model.definer)}")
        words += [f"SQL SECURITY {model.security.upper()}", f"VIEW {self.address(model)}"]
        if model.columns:
            words.append(f"({', '.join(map(quote, model.columns))})")
        words.append(f"AS {embedded(model.definition)}")
        if model.check_option:
            words.append(f"WITH {model.check_option.upper()} CHECK OPTION")
        return " ".join(words)

    def rehearsal(
        self, wanted: View, live: View, scratch: str, tag: str, server: Server
    ) -> tuple[View, list[str]] | None:
        """Return the view as it is made in the scratch database; it reads the tables where they are."""
        # Who makes it here needs no right to make it as somebody else.
        made = replaced(wanted, {"schema": scratch, "name": f"v{tag}", "definer": ""})
        return made, [self._create(made, "CREATE")]

    def worded(self, wanted: View, rehearsed: View, found: View, live: View) -> View:
        """Return the live view where the server takes both for the same, whoever made the rehearsed one."""
        assert isinstance(wanted, MySQLView)
        assert isinstance(live, MySQLView)
        settled = super().worded(wanted, rehearsed, replaced(found, {"definer": live.definer}), live)
        return replaced(live, {"definer": wanted.definer}) if settled is live else wanted
