"""The colours that MMDetection's visualiser gives the classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Colour = tuple[int, int, int]

# METAINFO["palette"] of MMDetection's CocoDataset, which a dataset with classes of its own keeps.
_COCO = """
dc143c 770b20 00008e 0000e6 6a00e4 003c64 005064 000046 0000c0 faaa1e 64aa1e dcdc00 af74af
fa001e a52a2a ff4dff 00e2fc b6b6ff 005200 78a69d 6e4c00 ae39ff c76400 480076 ffb3f0 007d5c
d10097 bcd0b6 00dcb0 ff63a4 5c0049 8581ff 4eb4ff 00e400 aefff3 2d59ff 868667 9194ae ffd0ba
c5e2ff ab8601 6d3f36 cf8aff 97005f 09503d 546933 4a4169 a6c466 d0c3d2 ff6d41 008f95 b300c2
d1636a 057900 e3ffcd 93bad0 994501 035fa1 a3ff00 7700aa 00b6c7 00a578 b78258 5f2000 827287
6e8185 a64a76 db8eb9 4fd272 b25a3e 41460f 7fa773 3b696a 8e6c2d c4ac00 5f3650 804cff c93901
f6007a bfa2d0
"""


def class_colours(count: int, palette: Sequence[Colour] | None = None) -> list[Colour]:
    """Return a colour for each label, red, green and blue.

    Args:
        count: Number of classes.
        palette: That of the config; by default CocoDataset's, and from its 81st class on the
            random one that MMDetection's ``get_palette`` makes without any.
    """
    colours = list(palette or (tuple(bytes.fromhex(one)) for one in _COCO.split()))
    if len(colours) < count:
        drawn = np.random.RandomState(42).randint(0, 256, size=(count, 3))
        colours = [tuple(colour) for colour in drawn.tolist()]
    return colours[:count]
