# The thesis's schedule (sections 4.3.2 and 4.3.3), in iterations and equal for every data amount.
# The arithmetic is fzmm/schedules.py; a test compares these numbers with it.
train_cfg = dict(
    type="IterBasedTrainLoop",
    max_iters=381_108,  # 26 epochs of 14,658 iterations: 117,266 images in batches of 8
    val_interval=14_658,  # each data amount sets one pass over its subset
)
val_cfg = dict(type="ValLoop")
test_cfg = dict(type="TestLoop")

param_scheduler = [
    # end=n takes n - 1 steps: with 1_001 the rates are those of PyTorch's total_iters=1000
    dict(type="LinearLR", start_factor=0.001, by_epoch=False, begin=0, end=1_001),
    dict(
        type="MultiStepLR",
        by_epoch=False,
        begin=0,
        end=381_108,
        milestones=[234_528, 322_476],  # 16 and 22 epochs of 14,658: 61.5% and 84.6% of training
        gamma=0.1,
    ),
]

optim_wrapper = dict(
    type="OptimWrapper",
    # 0.02 x 8/16: torchvision's rate for 16 images an iteration, scaled to 8
    optimizer=dict(type="SGD", lr=0.01, momentum=0.9, weight_decay=1e-4),
)

# 4 GPUs x 2 images. `--auto-scale-lr` scales the rate alone; see also `--scale-schedule`.
auto_scale_lr = dict(enable=False, base_batch_size=8)
