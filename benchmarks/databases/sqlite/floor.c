/* The floor: read what any tool must read to know a SQLite schema, and do nothing with it.

   floor DATABASE reads sqlite_schema, and of every table table_xinfo and foreign_key_list, of every index
   of every table index_list and index_xinfo. Each value is fetched as text, as every client has to.
   Prints the number of rows. */

#include <sqlite3.h>
#include <stdio.h>

static const char *const queries[] = {
    "SELECT type, name, tbl_name, sql FROM sqlite_schema",
    "SELECT t.name, c.* FROM sqlite_schema AS t, pragma_table_xinfo(t.name) AS c WHERE t.type IN ('table', 'view')",
    "SELECT t.name, k.* FROM sqlite_schema AS t, pragma_foreign_key_list(t.name) AS k WHERE t.type = 'table'",
    "SELECT t.name, i.*, c.* FROM sqlite_schema AS t, pragma_index_list(t.name) AS i, pragma_index_xinfo(i.name) AS c"
    " WHERE t.type = 'table'",
};

int main(int count, char **arguments) {
    sqlite3 *database;
    long rows = 0;
    if (count != 2 || sqlite3_open_v2(arguments[1], &database, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK) {
        fprintf(stderr, "usage: floor DATABASE\n");
        return 1;
    }
    for (size_t at = 0; at < sizeof queries / sizeof *queries; at++) {
        sqlite3_stmt *statement;
        int result;
        if (sqlite3_prepare_v2(database, queries[at], -1, &statement, NULL) != SQLITE_OK) {
            fprintf(stderr, "%s\n", sqlite3_errmsg(database));
            return 1;
        }
        while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
            for (int column = 0; column < sqlite3_column_count(statement); column++)
                sqlite3_column_text(statement, column);
            rows++;
        }
        if (result != SQLITE_DONE) {
            fprintf(stderr, "%s\n", sqlite3_errmsg(database));
            return 1;
        }
        sqlite3_finalize(statement);
    }
    sqlite3_close(database);
    printf("%ld\n", rows);
    return 0;
}
