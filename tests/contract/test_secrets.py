"""A planted secret must not come out by any road but `reveal()`."""

import copy
import dataclasses
import gc
import io
import json
import logging
import pickle
import pprint
import traceback
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolumn.contract import messages as m
from kolumn.contract.codec import encode
from kolumn.contract.errors import OperationError, ValidationError
from kolumn.contract.masking import mask
from kolumn.contract.secrets import SecureString, redact

PLANTED = "hunter2-Tr0ub4dor"


@dataclasses.dataclass(frozen=True)
class Settings:
    host: str
    password: SecureString


def logged(secret: SecureString) -> str:
    stream = io.StringIO()
    logger = logging.getLogger("test_secrets")
    handler = logging.StreamHandler(stream)
    logger.addHandler(handler)
    logger.warning("connecting with %s %r", secret, secret)
    logger.removeHandler(handler)
    return stream.getvalue()


def in_traceback(secret: SecureString) -> str:
    settings = Settings("h", secret)
    try:
        raise RuntimeError(f"cannot connect: {settings} {secret}")
    except RuntimeError as error:
        return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


SHOWN: dict[str, Callable[[SecureString], str]] = {
    "str": str,
    "repr": repr,
    "f-string": lambda s: f"{s} {s!r} {s!s} {s!a} {s:>40}",
    "percent": lambda s: "%s %r" % (s, s),  # noqa: UP031
    "format": lambda s: format(s, "^50"),
    "dataclass": lambda s: repr(Settings("h", s)) + str(dataclasses.asdict(Settings("h", s))),
    "containers": lambda s: repr([s, {"k": s}, (s,)]),
    "pprint": lambda s: pprint.pformat({"password": s}),
    "json default": lambda s: json.dumps({"p": s}, default=str),
    "logging": logged,
    "traceback": in_traceback,
    "copy": lambda s: repr(copy.copy(s)) + repr(copy.deepcopy({"a": s})),
    "dir": lambda s: str(dir(s)),
    "error": lambda s: str(
        OperationError(f"login failed for {s.reveal()}", details={"tried": [s.reveal()]}).details
    ),
    "error text": lambda s: str(OperationError(f"login failed for {s.reveal()}")),
}


@pytest.mark.parametrize("show", SHOWN.values(), ids=SHOWN)
def test_nothing_shows_it(show: Callable[[SecureString], str]) -> None:
    secret = SecureString(PLANTED)
    assert PLANTED not in show(secret)
    assert secret.reveal() == PLANTED


@pytest.mark.parametrize(
    "leak",
    [
        pickle.dumps,
        lambda s: pickle.dumps(Settings("h", s)),
        json.dumps,
        msgspec.json.encode,
        msgspec.to_builtins,
        vars,
        iter,
        len,
        bytes,
        hash,
        lambda s: s.__getstate__(),
        lambda s: s[0],
        lambda s: s + "",
    ],
)
def test_what_would_give_it_away_is_refused(leak: Callable[[SecureString], object]) -> None:
    with pytest.raises(TypeError) as caught:
        leak(SecureString(PLANTED))
    assert PLANTED not in str(caught.value)


def test_no_message_carries_it() -> None:
    with pytest.raises(ValidationError) as caught:
        encode(m.CreateResourceResponse(state={"password": SecureString(PLANTED)}))
    assert PLANTED not in str(caught.value)


def test_clearing_zeroes_the_buffer() -> None:
    secret = SecureString(PLANTED)
    buffer = secret._value
    view = memoryview(buffer)
    with pytest.raises(BufferError):
        secret.clear()  # the buffer cannot shrink under the view, but it has been zeroed by then
    assert bytes(view) == bytes(len(PLANTED))
    view.release()
    secret.clear()
    assert secret.reveal() == ""
    assert not secret


def test_a_with_block_clears() -> None:
    with SecureString(PLANTED) as secret:
        assert secret
    assert secret.reveal() == ""


def test_collection_zeroes_and_forgets() -> None:
    text = "only-in-this-test-4711"
    secret = SecureString(text)
    buffer = secret._value
    assert text not in mask(f"got {text}!")
    del secret
    gc.collect()
    assert not buffer
    assert text in mask(f"got {text}!")


@given(st.text(), st.text())
def test_equality_is_that_of_the_texts(left: str, right: str) -> None:
    assert (SecureString(left) == SecureString(right)) is (left == right)
    assert SecureString(left).reveal() == left
    assert SecureString(left) != left


def test_redacting_data() -> None:
    secret = SecureString(PLANTED)
    data = {
        "a": [f"x{PLANTED}y", PLANTED, ("pin", 1234, "12345")],
        PLANTED: True,
        "s": secret,
        "n": None,
        "u": "ab",
    }
    assert redact(data, [secret, "1234", "ab", ""]) == {
        "a": ["x[REDACTED]y", "[REDACTED]", ["pin", "[REDACTED]", "[REDACTED]5"]],
        "[REDACTED]": True,
        "s": "[REDACTED]",
        "n": None,
        "u": "[REDACTED]",
    }


@given(st.text(min_size=4), st.text(), st.text())
def test_redacting_leaves_no_trace(secret: str, before: str, after: str) -> None:
    shown = str(redact({"v": [before + secret + after]}, [secret])["v"][0]).replace("[REDACTED]", "\0")
    assert secret not in shown or secret in "[REDACTED]"
