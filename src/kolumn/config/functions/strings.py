"""Functions on text."""

from __future__ import annotations

import re
from typing import Any

from kolumn.config.diagnostics import Fault
from kolumn.config.functions.registry import ANY, LIST, TEXT, WHOLE, check_size, function
from kolumn.config.values import MAX_TEXT, number_text, to_number, to_text, to_whole, type_name

_LONGEST_NESTED_SUBJECT = 20
_MAX_WIDTH = 10_000


@function(TEXT)
def chomp(text: str) -> str:
    """Take newlines off the end."""
    return text.rstrip("\r\n")


@function(TEXT, TEXT)
def endswith(text: str, suffix: str) -> bool:
    """Tell whether `text` ends with `suffix`."""
    return text.endswith(suffix)


@function(TEXT, TEXT)
def startswith(text: str, prefix: str) -> bool:
    """Tell whether `text` starts with `prefix`."""
    return text.startswith(prefix)


@function(TEXT, TEXT)
def strcontains(text: str, part: str) -> bool:
    """Tell whether `part` is in `text`."""
    return part in text


_VERB = re.compile(r"%(?:(%)|([-+ #0]*)(\d*)(?:\.(\d*))?(?:\[(\d+)\])?([a-zA-Z]))")


@function(TEXT, rest=ANY, name="format")
def format_(pattern: str, *values: Any) -> str:
    """Format values by the verbs %v %s %d %f %g %e %t %q %x %X %o %b %c (and %#v)."""
    position = 0
    used = 0

    def one(match: re.Match[str]) -> str:
        nonlocal position, used
        if match[1]:
            return "%"
        flags, width, precision, index, verb = match[2], match[3], match[4], match[5], match[6]
        if index:
            position = int(index) - 1
        if position >= len(values) or position < 0:
            raise Fault(f"format() has {len(values)} values, but its pattern wants more.", code="arguments")
        value = values[position]
        position += 1
        used = max(used, position)
        if int(width or 0) > _MAX_WIDTH or int(precision or 0) > _MAX_WIDTH:
            raise Fault("format(): the width is too big.", code="too_big")
        return _pad(_verb(verb, value, flags, precision), flags, int(width or 0), verb)

    leftover = re.sub(_VERB, "", pattern)
    if "%" in leftover:
        raise Fault("format(): a % in the pattern begins no verb.", hint="Write %% for a percent sign.")
    result = _VERB.sub(one, pattern)
    if used < len(values) and "[" not in pattern:
        raise Fault(f"format() has {len(values)} values, but its pattern uses {used}.", code="arguments")
    return result


def _pad(text: str, flags: str, width: int, verb: str) -> str:
    if len(text) >= width:
        return text
    if "-" in flags:
        return text.ljust(width)
    if "0" in flags and verb in "dfgebxXo":
        sign = text[:1] if text[:1] in "+-" else ""
        return sign + text[len(sign) :].rjust(width - len(sign), "0")
    return text.rjust(width)


def _verb(verb: str, value: Any, flags: str, precision: str | None) -> str:
    if verb == "v":
        if "#" in flags or isinstance(value, (list, dict)) or value is None:
            return _json(value)
        return to_text(value)
    if value is None:
        raise Fault(f"format(): null cannot be written with %{verb}.", code="null_value")
    if verb in "sq":
        text = to_text(value)
        if precision:
            text = text[: int(precision)]
        return _json(text) if verb == "q" else text
    if verb == "t":
        if not isinstance(value, bool):
            raise Fault(f"format(): %t wants a bool, found {type_name(value)}.", code="wrong_type")
        return to_text(value)
    if verb in "dxXobc":
        number = to_whole(value)
        if verb == "c":
            if not 0 <= number < 0x110000:
                raise Fault("format(): there is no such character.", code="out_of_range")
            return chr(number)
        text = format(number, verb)
    elif verb in "feEgG":
        number_value = to_number(value)
        if isinstance(number_value, int) and number_value.bit_length() > 1000:
            raise Fault("format(): the number is too big for this verb.", code="too_big")
        if verb in "gG" and precision is None:
            text = number_text(number_value)
        else:
            text = format(float(number_value), f".{precision or (6 if precision is None else 0)}{verb}")
    else:
        raise Fault(f"format() has no verb %{verb}.", hint="Known: %v %s %d %f %g %e %t %q %x %X %o %b %c.")
    if "+" in flags and not text.startswith("-"):
        text = f"+{text}"
    elif " " in flags and not text.startswith("-"):
        text = f" {text}"
    return text


def _json(value: Any) -> str:
    import json

    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@function(TEXT, rest=ANY)
def formatlist(pattern: str, *values: Any) -> list[str]:
    """Format once per element of the lists among `values`."""
    lengths = {len(value) for value in values if isinstance(value, list)}
    if len(lengths) > 1:
        raise Fault("formatlist() needs lists of the same length.", code="arguments")
    count = lengths.pop() if lengths else 1
    return [
        format_(pattern, *(value[row] if isinstance(value, list) else value for value in values))
        for row in range(count)
    ]


@function(WHOLE, TEXT)
def indent(spaces: int, text: str) -> str:
    """Indent all lines but the first."""
    if not 0 <= spaces <= 1000:
        raise Fault("indent() takes 0 to 1000 spaces.", code="out_of_range")
    _would_be(len(text) + text.count("\n") * spaces)
    return text.replace("\n", "\n" + " " * spaces)


@function(TEXT, LIST, rest=LIST)
def join(separator: str, *lists: list[Any]) -> str:
    """Join the elements of the lists with `separator`."""
    texts = [to_text(item) for items in lists for item in items]
    _would_be(sum(map(len, texts)) + len(separator) * len(texts))
    return separator.join(texts)


def _would_be(size: int) -> None:
    if size > MAX_TEXT:
        raise Fault(f"This text is longer than {MAX_TEXT:,} characters.", code="too_big")


@function(TEXT)
def lower(text: str) -> str:
    """Return the text in small letters."""
    return text.lower()


@function(TEXT)
def upper(text: str) -> str:
    """Return the text in capitals."""
    return text.upper()


@function(TEXT)
def title(text: str) -> str:
    """Return the text with the first letter of each word as a capital."""
    return re.sub(r"(^|[^\w'])(\w)", lambda match: match[1] + match[2].upper(), text)


def compiled(pattern: str, subject: str) -> re.Pattern[str]:
    """Compile a regular expression; refuses those that may take forever on `subject`. Raises Fault."""
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        reason = getattr(error, "msg", "it is too big")
        raise Fault(f"The regular expression is not valid: {reason}.", code="bad_regex") from None
    if len(subject) > _LONGEST_NESTED_SUBJECT and _nests_repeats(pattern):
        raise Fault(
            "This regular expression repeats something that repeats; that can take forever.",
            hint="Write it without a repetition inside another: [a-z,]+ instead of ([a-z]+,?)+.",
            code="slow_regex",
        )
    return found


def _nests_repeats(pattern: str) -> bool:
    """Tell whether an unbounded repetition stands inside another one."""
    from re import _constants, _parser  # type: ignore[attr-defined]

    repeats = (_constants.MAX_REPEAT, _constants.MIN_REPEAT)

    def visit(node: Any, inside: bool) -> bool:
        if isinstance(node, tuple) and len(node) == 2 and node[0] in repeats:
            unbounded = node[1][1] is _constants.MAXREPEAT or node[1][1] > _LONGEST_NESTED_SUBJECT
            if unbounded and inside:
                return True
            return visit(node[1][2], inside or unbounded)
        if isinstance(node, (tuple, list, _parser.SubPattern)):
            return any(visit(part, inside) for part in node)
        return False

    return visit(_parser.parse(pattern), False)


def _captures(match: re.Match[str]) -> Any:
    if match.re.groupindex:
        return dict(match.groupdict())
    return list(match.groups()) if match.re.groups else match.group()


@function(TEXT, TEXT)
def regex(pattern: str, text: str) -> Any:
    """Return the first match: text, list of groups, or map of named groups."""
    match = compiled(pattern, text).search(text)
    if match is None:
        raise Fault("regex(): nothing in the text matches the pattern.", code="no_match")
    return _captures(match)


@function(TEXT, TEXT)
def regexall(pattern: str, text: str) -> list[Any]:
    """Return all matches."""
    found = [_captures(match) for match in compiled(pattern, text).finditer(text)]
    check_size(found)
    return found


@function(TEXT, TEXT, TEXT)
def replace(text: str, part: str, new: str) -> str:
    """Replace every `part`; /part/ is a regular expression, whose groups are $1, ${name} in `new`."""
    if len(part) > 1 and part.startswith("/") and part.endswith("/"):
        pattern = compiled(part[1:-1], text)
        count = sum(1 for _ in pattern.finditer(text))
        _would_be(len(text) + count * len(new) * (1 + len(text) * ("$" in new)) if count else 0)
        try:
            return pattern.sub(lambda match: _expand(match, new), text)
        except IndexError:
            raise Fault("replace(): the pattern has no such group.", code="bad_regex") from None
    _would_be(len(text) + (text.count(part) + 1) * len(new))
    return text.replace(part, new)


def _expand(match: re.Match[str], new: str) -> str:
    def group(mark: re.Match[str]) -> str:
        if mark[0] == "$$":
            return "$"
        name = mark[1] or mark[2]
        return match.group(int(name) if name.isdigit() else name) or ""

    return re.sub(r"\$(?:\$|\{(\w+)\}|(\w+))", group, new)


@function(TEXT, TEXT)
def split(separator: str, text: str) -> list[str]:
    """Cut the text at each `separator`."""
    return list(text) if separator == "" else text.split(separator)


@function(TEXT)
def strrev(text: str) -> str:
    """Return the text backwards."""
    return text[::-1]


@function(TEXT, WHOLE, WHOLE)
def substr(text: str, offset: int, length: int) -> str:
    """Return `length` characters from `offset` (negative: from the end); length -1: all that follow."""
    begin = max(len(text) + offset, 0) if offset < 0 else offset
    return text[begin:] if length < 0 else text[begin : begin + length]


@function(TEXT, TEXT)
def trim(text: str, characters: str) -> str:
    """Take `characters` off both ends."""
    return text.strip(characters) if characters else text


@function(TEXT, TEXT)
def trimprefix(text: str, prefix: str) -> str:
    """Take `prefix` off the beginning."""
    return text.removeprefix(prefix)


@function(TEXT, TEXT)
def trimsuffix(text: str, suffix: str) -> str:
    """Take `suffix` off the end."""
    return text.removesuffix(suffix)


@function(TEXT)
def trimspace(text: str) -> str:
    """Take white space off both ends."""
    return text.strip()
