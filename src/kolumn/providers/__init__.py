"""One package per database; none knows its neighbours."""
