"""The handshake, certificates and errors, without a process."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolumn.contract.errors import CATEGORIES, KolumnError, Problem, ValidationError
from kolumn.rpc import certificates
from kolumn.rpc.protocol import DETAILS_LIMIT, Handshake, HandshakeError, negotiate
from kolumn.rpc.status import to_error, to_status


@given(
    st.integers(0, 99),
    st.sampled_from(["unix", "tcp"]),
    st.text("abc/.:0123456789", min_size=1),
    st.binary(max_size=400),
    st.sampled_from([None, True, False]),
)
def test_a_handshake_is_read_as_it_was_written(
    version: int, network: str, address: str, certificate: bytes, multiplex: bool | None
) -> None:
    written = Handshake(version, network, address, certificate, multiplex)
    read = Handshake.parse(written.line() + "\n")
    assert (read.version, read.network, read.address, read.certificate) == (
        version,
        network,
        address,
        certificate,
    )
    assert written.line().count("|") == (5 if multiplex is None else 6)
    assert "=" not in written.line().split("|")[5]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "hello",
        "1|1|unix",
        "2|1|unix|/x|grpc|",
        "1|x|unix|/x|grpc|",
        "1|1|udp|/x|grpc|",
        "1|1|unix|/x|netrpc|",
    ],
)
def test_what_is_no_handshake_is_refused(line: str) -> None:
    with pytest.raises(HandshakeError):
        Handshake.parse(line)


def test_the_highest_common_version_is_taken_the_lowest_own_without_one() -> None:
    assert negotiate("1,2,3", (1, 2, 5)) == 2
    assert negotiate("7, x, 2", (2, 1)) == 2
    assert negotiate("9", (1, 2)) == 1
    assert negotiate("", (3, 4)) == 3


@pytest.mark.parametrize("category", sorted(CATEGORIES))
def test_an_error_is_the_same_on_the_other_side(category: str) -> None:
    problems = [Problem("a fault", code="odd", path="columns[2]", resource="x.y", hint="mend it")]
    error = CATEGORIES[category](
        "What went wrong: ü", code="some_code", details={"a": [1]}, problems=problems
    )
    back = to_error(to_status(error))
    assert type(back) is type(error)
    assert (back.message, back.code, back.details, back.problems) == (
        error.message,
        error.code,
        error.details,
        error.problems,
    )


def test_an_error_with_very_many_faults_says_how_many_it_leaves_out() -> None:
    error = ValidationError.of([Problem(f"fault {n}: {'x' * 200}", code="odd") for n in range(5000)])
    status = to_status(error)
    assert len(status.details[0].json) <= DETAILS_LIMIT
    back = to_error(status)
    assert isinstance(back, KolumnError)
    assert 500 < len(back.problems) < 5000
    assert f"({5000 - len(back.problems)} more" in back.message


def test_a_key_never_shows() -> None:
    identity = certificates.make()
    assert "PRIVATE" not in repr(identity)
    assert identity.certificate.startswith(b"-----BEGIN CERTIFICATE")
