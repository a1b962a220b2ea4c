"""A region proposal network that differentiates only what its loss looks at."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmdet.models.dense_heads import RPNHead
from mmdet.models.utils import images_to_levels, unpack_gt_instances
from mmdet.registry import MODELS
from mmdet.structures.bbox import cat_boxes
from torch import Tensor

from fzmm.models.cpu.fused_conv import fused_conv


@MODELS.register_module()
class SampledRPNHead(RPNHead):
    """MMDetection's ``RPNHead``: same arguments, parameters and losses, a third of the work.

    The loss of an RPN reads 256 sampled anchors of an image out of a hundred thousand. All other
    predictions only serve to propose regions, which takes no gradient. So the dense prediction is
    made without an autograd graph, and the few sampled anchors' predictions are made once more,
    with one, from the 3 x 3 patches of the feature maps that they depend on. This is the same
    function with the same gradient; what falls away is two dense convolutions' worth of backward
    pass over every level, and the memory of their inputs.

    Heads with several convolutions (``num_convs > 1``) run as in the parent class.
    """

    def loss_and_predict(self, x, batch_data_samples, proposal_cfg=None):
        """Return the losses and the proposals, as the parent class does.

        Args:
            x (tuple[Tensor]): Feature maps, shape (N, C, H_l, W_l) each.
            batch_data_samples (list[:obj:`DetDataSample`]): Annotations and meta information.
            proposal_cfg (:obj:`ConfigDict`, optional): How proposals are chosen.

        Returns:
            tuple: A dict of losses (a list with one for each level) and a list of
            :obj:`InstanceData`, the proposals of each image.
        """
        if self.num_convs > 1 or self.reg_decoded_bbox:
            return super().loss_and_predict(x, batch_data_samples, proposal_cfg)
        gt_instances, gt_ignored, img_metas = unpack_gt_instances(batch_data_samples)
        with torch.no_grad():
            cls_scores, bbox_preds = self(x)
        losses = self.loss_of_samples(x, gt_instances, img_metas, gt_ignored)
        proposals = self.predict_by_feat(
            cls_scores, bbox_preds, batch_img_metas=img_metas, cfg=proposal_cfg
        )
        return losses, proposals

    def forward_single(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Predict at every position, with scores and deltas in at least single precision.

        Boxes decoded from bfloat16 would lie on a grid of several pixels, and the CPU's NMS refuses
        that type.
        """
        if self.num_convs > 1 or torch.is_grad_enabled():
            return tuple(_at_least_float32(out) for out in super().forward_single(x))
        # Detached, for autocast keeps what it casts: the pass with a graph would get the cast
        # without one, and the bias no gradient.
        weight, bias = self.rpn_conv.weight.detach(), self.rpn_conv.bias.detach()
        hidden = fused_conv(x, weight, bias, padding=(1, 1))
        layers = (self.rpn_cls, self.rpn_reg)
        weight = torch.cat([layer.weight for layer in layers])
        bias = torch.cat([layer.bias for layer in layers])
        out = _at_least_float32(F.conv2d(hidden, weight, bias))
        return out.split([layer.out_channels for layer in layers], dim=1)

    def _bbox_post_process(self, results, cfg, *args, **kwargs):
        # The CPU's NMS compares every pair of boxes, also of different levels, which never overlap.
        if results.bboxes.device.type == "cpu" and cfg.get("nms"):
            cfg.nms.setdefault("split_thr", 1)
        return super()._bbox_post_process(results, cfg, *args, **kwargs)

    def loss_of_samples(self, x, gt_instances, img_metas, gt_ignored=None) -> dict:
        """Return the parent's losses, computed from the sampled anchors alone.

        Args:
            x (tuple[Tensor]): Feature maps, shape (N, C, H_l, W_l) each.
            gt_instances (list[:obj:`InstanceData`]): Ground truth of each image.
            img_metas (list[dict]): Meta information of each image.
            gt_ignored (list[:obj:`InstanceData`], optional): Ground truth to leave out.
        """
        sizes = [feature.shape[-2:] for feature in x]
        anchors, valid_flags = self.get_anchors(sizes, img_metas, device=x[0].device)
        labels, label_weights, bbox_targets, bbox_weights, avg_factor = self.get_targets(
            anchors, valid_flags, gt_instances, img_metas, gt_ignored
        )[:5]
        num_level_anchors = [level.size(0) for level in anchors[0]]
        all_anchors = images_to_levels([cat_boxes(a) for a in anchors], num_level_anchors)

        losses_cls, losses_bbox = [], []
        for level, feature in enumerate(x):
            # (N, A) -> the image and the anchor of each that counts; boxes count only if labels do
            image, anchor = label_weights[level].nonzero(as_tuple=True)
            cls_score, bbox_pred = self.predict_at(feature, image, anchor)
            pick = (image, anchor)
            # One image of S anchors of a map of one position, as the parent's loss wants it
            loss_cls, loss_bbox = self.loss_by_feat_single(
                cls_score.t()[None, :, :, None],
                bbox_pred.t()[None, :, :, None],
                all_anchors[level][pick][None],
                labels[level][pick][None],
                label_weights[level][pick][None],
                bbox_targets[level][pick][None],
                bbox_weights[level][pick][None],
                avg_factor=avg_factor,
            )
            losses_cls.append(loss_cls)
            losses_bbox.append(loss_bbox)

        return dict(loss_rpn_cls=losses_cls, loss_rpn_bbox=losses_bbox)

    def predict_at(self, feature: Tensor, image: Tensor, anchor: Tensor) -> tuple[Tensor, Tensor]:
        """Predict for single anchors.

        Args:
            feature: One level, shape (N, C, H, W).
            image: The image of each of S anchors, shape (S,).
            anchor: Its index in the level, shape (S,), in the order (y, x, base anchor).

        Returns:
            tuple: Scores (S, num_classes) and deltas (S, 4) in at least single precision.
        """
        base = anchor % self.num_base_priors
        patches = gather_patches(feature, image, anchor // self.num_base_priors)
        # (O, C, 3, 3) -> (O, 9 * C), the patches' order
        weight = self.rpn_conv.weight.permute(0, 2, 3, 1).flatten(1)
        hidden = F.relu(F.linear(patches, weight, self.rpn_conv.bias))
        rows = torch.arange(len(base), device=base.device)
        outputs = []
        for layer in (self.rpn_cls, self.rpn_reg):
            out = F.linear(hidden, layer.weight.flatten(1), layer.bias)
            out = out.unflatten(1, (self.num_base_priors, -1))[rows, base]
            outputs.append(_at_least_float32(out))
        return tuple(outputs)


def gather_patches(feature: Tensor, image: Tensor, position: Tensor) -> Tensor:
    """Return the zero-padded 3 x 3 neighbourhoods of single positions.

    Args:
        feature: Shape (N, C, H, W); without a copy if it is channels-last.
        image: Shape (S,), which of the N.
        position: Shape (S,), ``y * W + x``.

    Returns:
        Tensor: Shape (S, 9 * C), in the order (dy, dx, channel).
    """
    num, channels, height, width = feature.shape
    offset = torch.arange(-1, 2, device=feature.device)
    y = (position // width)[:, None, None] + offset[:, None]
    x = (position % width)[:, None, None] + offset
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    row = (image[:, None, None] * height + y.clamp(0, height - 1)) * width + x.clamp(0, width - 1)
    rows = feature.permute(0, 2, 3, 1).reshape(num * height * width, channels)
    patches = rows.index_select(0, row.flatten()) * inside.flatten()[:, None].to(feature.dtype)
    return patches.view(len(position), 9 * channels)


def _at_least_float32(x: Tensor) -> Tensor:
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
