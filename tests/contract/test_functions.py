"""The table of functions against Appendix A of the specification, written out here as it stands there."""

from kolumn.contract.functions import FUNCTIONS, Category, Requirement, Tier

APPENDIX_A = """
CreateResource yes yes yes yes
ReadResource yes yes yes yes
UpdateResource yes yes yes yes
DeleteResource yes yes yes yes
DiscoverResources yes yes yes yes
Plan yes yes yes yes
Apply yes yes yes yes
GetState yes yes yes yes
SetState yes yes yes yes
Ping yes yes yes yes
Version yes yes yes yes
DetectDrift yes yes no no
ValidateState yes yes no no
GetAuditLog yes no no no
BeginTransaction yes if if no
CommitTransaction yes if if no
RollbackTransaction yes if if no
PlanMigration yes yes yes yes
ApplyMigration yes yes yes yes
RollbackMigration yes yes yes yes
OutboxHealthMetrics yes yes yes yes
OutboxCleanupRetention yes yes yes yes
"""
WORDS = {"yes": Requirement.REQUIRED, "if": Requirement.IF_SUPPORTED, "no": Requirement.NOT_REQUIRED}


def test_the_table_is_appendix_a_but_for_the_documented_readings() -> None:
    rows = [line.split() for line in APPENDIX_A.split("\n") if line]
    known = [name for name, function in FUNCTIONS.items() if function.tier is not Tier.EXTENSION]
    assert [row[0] for row in rows] == known
    differing = {
        (name, category)
        for name, *cells in rows
        for category, cell in zip(Category, cells, strict=True)
        if FUNCTIONS[name].required[category] is not WORDS[cell]
    }
    assert differing == {("GetAuditLog", Category.ANALYTICAL)}


def test_tiers_have_the_sizes_of_section_3() -> None:
    known = [tier for tier in Tier if tier is not Tier.EXTENSION]
    sizes = {tier: sum(function.tier is tier for function in FUNCTIONS.values()) for tier in known}
    assert sizes == {Tier.UNIVERSAL: 11, Tier.CONDITIONAL: 6, Tier.MIGRATION: 3, Tier.STREAMING: 2}


def test_message_names_are_those_of_section_3() -> None:
    pairs = {name: (f.request.__name__, f.response.__name__) for name, f in FUNCTIONS.items()}
    assert pairs["Apply"] == ("PlanRequest", "ApplyResponse")
    assert pairs["GetState"] == ("StateRequest", "StateResponse")
    assert pairs["DetectDrift"] == ("DriftRequest", "DriftResponse")
    assert pairs["CommitTransaction"] == ("TransactionRequest", "TransactionResponse")
    assert pairs["RollbackMigration"] == ("MigrationRequest", "MigrationRollbackResponse")
    regular = set(list(FUNCTIONS)[:5]) | {"SetState", "Ping", "Version"}
    for name in regular:
        assert pairs[name] == (f"{name}Request", f"{name}Response")
