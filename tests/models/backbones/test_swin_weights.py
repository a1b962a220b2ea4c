"""Swin Transformer's weights load by the keys of its authors' checkpoints."""

import torch
import torch.nn.functional as F

from .test_backbones import build, load_pretrained

DIMS, DEPTHS, HEADS, WINDOW = 24, (2, 2, 6, 2), (1, 2, 4, 8), 7


def authors_shapes():
    """Keys and shapes of what github.com/microsoft/Swin-Transformer saves, of another width."""
    shapes = {"patch_embed.proj.weight": (DIMS, 3, 4, 4)}
    vectors = {"patch_embed.proj.bias": DIMS, "norm.weight": 8 * DIMS, "norm.bias": 8 * DIMS}
    layers = {"patch_embed.norm": DIMS}
    matrices = {"head": (1000, 8 * DIMS)}
    for i, (depth, heads) in enumerate(zip(DEPTHS, HEADS, strict=True)):
        dims = DIMS * 2**i
        for block in (f"layers.{i}.blocks.{j}" for j in range(depth)):
            layers |= {f"{block}.norm1": dims, f"{block}.norm2": dims}
            matrices[f"{block}.attn.qkv"] = (3 * dims, dims)
            matrices[f"{block}.attn.proj"] = (dims, dims)
            matrices[f"{block}.mlp.fc1"] = (4 * dims, dims)
            matrices[f"{block}.mlp.fc2"] = (dims, 4 * dims)
            table = f"{block}.attn.relative_position_bias_table"
            shapes[table] = ((2 * WINDOW - 1) ** 2, heads)
        if i < 3:
            layers[f"layers.{i}.downsample.norm"] = 4 * dims
            shapes[f"layers.{i}.downsample.reduction.weight"] = (2 * dims, 4 * dims)
    for name, dims in layers.items():
        vectors |= {f"{name}.weight": dims, f"{name}.bias": dims}
    for name, shape in matrices.items():
        shapes[f"{name}.weight"] = shape
        vectors[f"{name}.bias"] = shape[0]
    return shapes | {name: (dims,) for name, dims in vectors.items()}


def load(weights, folder):
    model = build("swin-t", -1, convert_weights=True)
    load_pretrained(model, {"model": weights}, folder)
    return model


def test_every_parameter_but_those_of_detection_comes_from_the_file(tmp_path):
    weights = {key: torch.rand(shape) for key, shape in authors_shapes().items()}
    names = {"patch_embed.proj.": "patch_embed.projection.", "layers.": "stages."}
    inner = {"attn.": "attn.w_msa.", "mlp.fc1.": "ffn.layers.0.0.", "mlp.fc2.": "ffn.layers.1."}
    state = load(weights, tmp_path).state_dict()
    loaded = set()
    for key, value in weights.items():
        if key.startswith(("head.", "norm.")):
            continue  # the classifier's
        name = key
        for old, new in (names | inner).items():
            name = name.replace(old, new)
        loaded.add(name)
        if "downsample" not in name:
            assert torch.equal(state[name], value), key
    others = {name for name in state if not name.endswith("relative_position_index")} - loaded
    assert others == {f"norm{i}.{key}" for i in range(4) for key in ("weight", "bias")}


def test_merging_patches_computes_as_the_authors_do(tmp_path):
    """Their four neighbours come column by column, those of MMDetection channel by channel."""
    weights = {key: torch.rand(shape) for key, shape in authors_shapes().items()}
    merge = load(weights, tmp_path).stages[0].downsample
    x = torch.rand(1, 6, 8, DIMS)
    with torch.no_grad():
        ours, size = merge(x.flatten(1, 2), (6, 8))
    four = torch.cat([x[:, row::2, column::2] for column in (0, 1) for row in (0, 1)], dim=-1)
    part = {key.removeprefix("layers.0.downsample."): value for key, value in weights.items()}
    normed = F.layer_norm(four, (4 * DIMS,), part["norm.weight"], part["norm.bias"])
    assert size == (3, 4)
    torch.testing.assert_close(ours, (normed @ part["reduction.weight"].T).flatten(1, 2))
