"""Small folders in each format, written from boxes by the formats' own rules."""

import json
from xml.sax.saxutils import escape

from PIL import Image


def write_image(path, size=(64, 48), colour=(90, 120, 150)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


def write_text(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


def coco_of(images, classes):
    """A COCO object of {file name: (size, [(label, box, crowd)])}."""
    coco = dict(images=[], annotations=[])
    coco["categories"] = [dict(id=10 + i, name=name) for i, name in enumerate(classes)]
    for number, (name, (size, boxes)) in enumerate(images.items(), 7):
        coco["images"].append(dict(id=number, file_name=name, width=size[0], height=size[1]))
        for label, box, crowd in boxes:
            coco["annotations"].append(
                dict(
                    id=len(coco["annotations"]) + 1,
                    image_id=number,
                    category_id=10 + label,
                    bbox=list(box),
                    area=box[2] * box[3],
                    iscrowd=int(crowd),
                )
            )
    return coco


def boxes_of(coco):
    """{file name: [(class name, box, crowd)]} of a COCO object."""
    names = {category["id"]: category["name"] for category in coco["categories"]}
    boxes = {image["id"]: [] for image in coco["images"]}
    for a in coco["annotations"]:
        boxes[a["image_id"]].append((names[a["category_id"]], tuple(a["bbox"]), a["iscrowd"]))
    return {image["file_name"]: boxes[image["id"]] for image in coco["images"]}


def write_coco_folder(folder, parts):
    for split, coco in parts.items():
        write_text(folder / f"annotations/instances_{split}.json", json.dumps(coco))


def write_yolo_folder(folder, parts, digits=None):
    """Write labels and ``data.yaml``; full precision without ``digits``, else so many decimals."""
    classes = [c["name"] for c in next(iter(parts.values()))["categories"]]
    for split, coco in parts.items():
        sizes = {image["file_name"]: image for image in coco["images"]}
        for name, boxes in boxes_of(coco).items():
            lines = []
            for class_name, (x, y, w, h), _ in boxes:
                width, height = sizes[name]["width"], sizes[name]["height"]
                values = ((x + w / 2) / width, (y + h / 2) / height, w / width, h / height)
                words = [repr(v) if digits is None else f"{v:.{digits}f}" for v in values]
                lines.append(" ".join([str(classes.index(class_name)), *words]))
            stem = name.rsplit(".", 1)[0]
            write_text(folder / f"labels/{split}/{stem}.txt", "\n".join(lines))
    lines = [
        *(f"{split}: images/{split}" for split in parts),
        f"names: {json.dumps(classes, ensure_ascii=False)}",
    ]
    write_text(folder / "data.yaml", "\n".join(lines))


def write_voc_folder(folder, parts):
    """Write XML in pixels from 1 and the lists of each part."""
    for split, coco in parts.items():
        stems = []
        sizes = {image["file_name"]: image for image in coco["images"]}
        for name, boxes in boxes_of(coco).items():
            stems.append(name.rsplit(".", 1)[0])
            things = "".join(voc_object(*box) for box in boxes)
            width, height = sizes[name]["width"], sizes[name]["height"]
            write_text(folder / f"Annotations/{stems[-1]}.xml", voc(things, name, width, height))
        write_text(folder / f"ImageSets/Main/{split}.txt", "\n".join(stems))


def voc(things, name="a.jpg", width=64, height=48):
    size = f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
    return f"<annotation>\n<filename>{escape(name)}</filename>\n{size}\n{things}</annotation>"


def voc_object(name, box, difficult=0):
    x, y, w, h = box
    corners = dict(xmin=x + 1, ymin=y + 1, xmax=x + w, ymax=y + h)
    sides = "".join(f"<{side}>{value}</{side}>" for side, value in corners.items())
    return (
        f"<object>\n<name>{escape(name)}</name><difficult>{difficult}</difficult>\n"
        f"<bndbox>{sides}</bndbox>\n</object>\n"
    )
