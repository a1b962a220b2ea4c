"""Ways in which a file can be other than it should be."""

import copy
import json

from hypothesis import strategies as st

# What has broken a reader of JSON, of numbers or of text before.
TOKENS = [
    b"NaN", b"-Infinity", b"1e999", b"-1", b"0", b"1e308", b"true", b"null", b'""', b"{}", b"[]",
    b"9" * 5_000, b"[" * 3_000, b'{"a":' * 3_000, b"\\ud800", b'"\\u0000"', b"\x00", b"\xff\xfe",
    b"\xef\xbb\xbf", b"\n", b",", b'"', b"}", b"{{ fileDirname }}", b"${HOME}", b"__import__('os')",
    b"'" * 3, b"(" * 500, b"-" * 500, b"2" * 18,
]  # fmt: skip

NUMBERS = st.one_of(
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.sampled_from([0, -1, 10**400, 2**53 + 1, 1e-320]),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=12)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)


@st.composite
def other_bytes(draw, content: bytes):
    """The content, cut, with bytes replaced, or with a token put in or over a part of it."""
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(content)))
        stop = min(len(content), start + draw(st.integers(0, 20)))
        piece = draw(st.one_of(st.sampled_from(TOKENS), st.binary(max_size=8)))
        content = draw(
            st.sampled_from(
                [content[:start] + piece + content[stop:], content[:start], content[start:]]
            )
        )
    return content


@st.composite
def other_values(draw, document):
    """The JSON document with one to three of its values replaced, removed or doubled."""
    document = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        parent = document
        while True:
            if not parent:
                break
            keys = list(parent) if isinstance(parent, dict) else list(range(len(parent)))
            key = draw(st.sampled_from(keys))
            if isinstance(parent[key], dict | list) and parent[key] and draw(st.booleans()):
                parent = parent[key]
                continue
            action = draw(st.sampled_from(["replace", "remove", "double"]))
            if action == "replace":
                parent[key] = draw(VALUES)
            elif action == "remove":
                del parent[key]
            elif isinstance(parent, list):
                parent.append(copy.deepcopy(parent[key]))
            break
    return json.dumps(document).encode("utf-8", "surrogatepass")


def damaged(document):
    """Bytes that are like the JSON of a document, and not quite."""
    return st.one_of(other_values(document), other_bytes(json.dumps(document).encode()))
