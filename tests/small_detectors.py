"""MMDetection's detectors, small enough for a test."""

SMALL = dict(nms_pre=40, max_per_img=10, fc_out_channels=16, num=8, num_query=10, num_layers=1)
NARROW = {256: 32, 1024: 64}  # channels of necks and heads
NARROW_KEYS = ("channels", "embed_dims", "feat")


def shrink(cfg, narrow=True):
    """Make the parts that no test is about small: necks, heads, numbers of proposals."""
    if isinstance(cfg, list | tuple):
        for item in cfg:
            shrink(item, narrow)
    if not isinstance(cfg, dict):
        return
    for key, value in cfg.items():
        if key in SMALL and isinstance(value, int):
            cfg[key] = SMALL[key]
        elif narrow and isinstance(value, int) and any(part in key for part in NARROW_KEYS):
            cfg[key] = NARROW.get(value, 16 if key == "num_feats" else value)
        elif key != "backbone":
            shrink(value, narrow)
