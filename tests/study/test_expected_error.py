"""What a new study says of its validation images before it is trained."""

from fzmm.datasets.sampling_error import map_error
from fzmm.study.dataset.dataset_split import DatasetSplit
from fzmm.study.dataset.expected_error import expected_error
from fzmm.study.dataset.expected_error_text import error_texts


def split(boxes_of_classes, images=10):
    """Boxes of each class, one after another over the images."""
    annotations = [
        dict(image_id=number % images, category_id=k, bbox=[1, 1, 9, 9])
        for k, count in enumerate(boxes_of_classes)
        for number in range(count)
    ]
    return DatasetSplit(
        "val.json",
        "val",
        dict(
            images=[dict(id=i, file_name=f"{i}.png", width=20, height=20) for i in range(images)],
            categories=[dict(id=k, name=f"class {k}") for k in range(len(boxes_of_classes))],
            annotations=annotations,
        ),
    )


def test_classes_with_few_boxes_are_named_the_rarest_first():
    error = expected_error(split([300, 19, 20, 3, 0]))
    assert error.few == [("class 3", 3), ("class 1", 19)]
    few, _ = error_texts(error)
    assert few.startswith("2 of 4 classes have fewer than 20 boxes in validation")
    assert few.endswith("class 3 (3), class 1 (19)")


def test_many_rare_classes_stay_one_line():
    error = expected_error(split([500] + [1 + k % 15 for k in range(79)]))
    few, error_of_map = error_texts(error)
    assert few.startswith("79 of 80 classes have") and few.endswith("and 75 more")
    assert len(few) < 200 and len(error_of_map) < 200


def test_more_images_make_map_surer():
    few, many = expected_error(split([30, 30])), expected_error(split([120, 120], images=40))
    assert (few.low, few.high) == (2 * many.low, 2 * many.high)
    (text,) = error_texts(many)
    assert text.startswith("other 40 images of the kind would move mAP by some 1.6 to 3.2 points")


def test_crowds_and_boxes_that_are_not_learnt_do_not_count():
    half = split([30])
    half.coco["annotations"][0]["iscrowd"] = 1
    half.coco["annotations"][1]["bbox"] = [1, 1, 0.5, 9]
    error = expected_error(half)
    assert (error.low, error.high) == map_error([28])
