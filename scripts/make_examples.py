#!/usr/bin/env python3
"""Draws the pictures of examples/: a lake at sunset, a balloon, a still life. Needs numpy and Pillow.

    scripts/make_examples.py [FOLDER]
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

ROOT = Path(__file__).resolve().parent.parent


def colour(text: str) -> np.ndarray:
    return np.array([int(text[i : i + 2], 16) for i in (0, 2, 4)], dtype=np.float64) / 255


def mix(a, b, t):
    t = np.asarray(t)[..., None] if np.ndim(t) else t
    return a * (1 - t) + b * t


def smooth(low, high, x):
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def gradient(stops, t):
    """Colours along t from [(position, colour), ...]."""
    positions = [stop[0] for stop in stops]
    return np.stack([np.interp(t, positions, [stop[1][c] for stop in stops]) for c in range(3)], axis=-1)


def noise(shape, cell, rng):
    """Smooth noise in 0 .. 1 with features of about `cell` (height, width) pixels."""
    rows, columns = (max(2, int(np.ceil(n / c)) + 1) for n, c in zip(shape, cell))
    small = Image.fromarray((rng.random((rows, columns)) * 65535).astype(np.float32))
    return np.asarray(small.resize(shape[::-1], Image.BICUBIC)) / 65535


def fractal(shape, cell, octaves, rng):
    total = sum(noise(shape, (cell[0] / 2**i, cell[1] / 2**i), rng) / 2**i for i in range(octaves))
    return total / sum(1 / 2**i for i in range(octaves))


def skyline(width, base, height, cell, rng, octaves=5):
    return base - height * (fractal((2, width), (2, cell), octaves, rng)[0] - 0.3)


def lake(width=1024, height=576):
    """Sunset over a lake between hills; the sky is mirrored in the water."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    horizon = 0.62 * height
    sun_x, sun_y = 0.64 * width, 0.47 * height
    sky = gradient(
        [(0, colour("2b3f78")), (0.35, colour("7a6fa8")), (0.62, colour("e8a07c")), (0.85, colour("ffd28a")), (1, colour("ffe6b0"))],
        y / horizon,
    )
    distance = np.hypot(x - sun_x, y - sun_y)
    sky += np.exp(-distance / 150)[..., None] * colour("ff9a4a") * 0.55
    clouds = fractal((height, width), (46, 300), 5, rng)
    clouds = smooth(0.52, 0.72, clouds) * smooth(horizon, 0.25 * horizon, y)
    sky = mix(sky, mix(colour("6d5a8c"), colour("ffc9a0"), np.exp(-distance / 330)), clouds * 0.75)
    sun = smooth(44, 40, distance)

    layers = [("8b7fa6", 0.60, 120, 420), ("5f5c86", 0.61, 90, 260), ("3c4467", 0.615, 66, 180)]
    for tint, base, rise, cell in layers:
        line = skyline(width, base * height, rise, cell, rng)
        hill = mix(colour(tint), colour("f0a878"), 0.35 * np.exp(-distance / 260))
        covered = smooth(-0.7, 0.7, y - line)
        sky = mix(sky, hill, covered)
        sun *= 1 - covered

    rows = np.arange(height)
    source = np.clip(2 * horizon - rows, 0, horizon - 1)
    ripple = (fractal((height, width), (5, 60), 3, rng) - 0.5) * smooth(horizon, height, y) * 46
    mirrored_y = np.clip(source[:, None] + ripple, 0, horizon - 1).astype(int)
    water = sky[mirrored_y, x.astype(int)] * 0.80 + colour("16324f") * 0.12
    glints = fractal((height, width), (3, 26), 2, rng)
    path = np.exp(-(((x - sun_x) / (34 + 0.5 * (y - horizon))) ** 2)) * smooth(0.58, 0.70, glints)
    water += path[..., None] * colour("ffd9a0") * 0.8
    picture = np.where((y > horizon)[..., None], water, mix(sky, colour("fff6d8"), sun))

    # The near shore with reeds, dark against the light.
    shore = skyline(width, 0.985 * height, 60, 420, rng) + 34 * smooth(0.25 * width, 0.6 * width, x[0])
    image = to_image(mix(picture, colour("141b2c"), smooth(-1, 1, y - shore)), supersample=2)
    draw = ImageDraw.Draw(image)
    for _ in range(150):
        foot = rng.beta(0.9, 2.6) * width * 0.5
        tall, lean = rng.uniform(40, 130), rng.normal(0, 12)
        points = [(2 * (foot + lean * t * t), 2 * (height + 4 - tall * t)) for t in np.linspace(0, 1, 9)]
        draw.line(points, fill=(20, 27, 44), width=int(rng.integers(2, 5)))
        if rng.random() < 0.3:
            tip = points[-1]
            draw.ellipse((tip[0] - 5, tip[1] - 26, tip[0] + 5, tip[1] + 6), fill=(28, 28, 40))
    for bird_x, bird_y, size in ((0.38, 0.2, 15), (0.415, 0.225, 12), (0.35, 0.245, 11), (0.45, 0.18, 9)):
        cx, cy, size = 2 * bird_x * width, 2 * bird_y * height, 2 * size
        for side in (-1, 1):
            wing = [(cx + side * size * t, cy - size * 0.55 * np.sin(2.4 * t)) for t in np.linspace(0, 1, 9)]
            draw.line(wing, fill=(52, 48, 82), width=4)
    return image.resize((width, height), Image.LANCZOS)


def to_image(values, supersample=1):
    image = Image.fromarray((np.clip(values, 0, 1) * 255 + 0.5).astype(np.uint8))
    return image.resize((image.width * supersample, image.height * supersample), Image.BICUBIC)


def shade(draw_shape, size, blur=0):
    """A soft mask in 0 .. 1 from draw_shape(ImageDraw)."""
    mask = Image.new("L", size, 0)
    draw_shape(ImageDraw.Draw(mask))
    if blur:
        mask = mask.filter(ImageFilter.GaussianBlur(blur))
    return np.asarray(mask, dtype=np.float64) / 255


def balloon(width=576, height=896):
    """A hot-air balloon over misty hills in the morning; taller than wide."""
    rng = np.random.default_rng(5)
    scale = 2
    w, h = width * scale, height * scale
    y, x = np.mgrid[0:h, 0:w].astype(np.float64)
    picture = gradient([(0, colour("3f86b8")), (0.45, colour("8fc1d4")), (0.75, colour("f3e3c4")), (1, colour("f6d9b0"))], y / (0.85 * h))
    puffs = fractal((h, w), (190, 520), 6, rng)
    puffs = smooth(0.50, 0.70, puffs) * smooth(0.75 * h, 0.35 * h, y)
    picture = mix(picture, colour("ffffff"), puffs * 0.8)

    layers = [("a9bfc4", 0.74, 260, 500), ("86a5a2", 0.79, 240, 420), ("5f8a78", 0.845, 240, 380), ("3f6e54", 0.91, 230, 460), ("28503c", 0.985, 220, 520)]
    for tint, base, rise, cell in layers:
        line = skyline(w, base * h, rise, cell, rng, octaves=4)
        depth = np.clip((y - line) / 300, 0, 1)
        trees = 1 + 0.16 * (fractal((h, w), (9, 7), 2, rng) - 0.5)
        hill = mix(colour(tint), colour("f2e6cc"), depth * 0.75) * trees[..., None]
        picture = mix(picture, hill, smooth(-1.5, 1.5, y - line))

    # The envelope: a sphere above, a cone below, gores that follow its roundness, light from the left.
    cx, cy, radius = 0.53 * w, 0.34 * h, 0.285 * w
    foot = cy + 1.32 * radius
    down = np.clip((y - cy) / (foot - cy), 0, 1)
    half = np.where(y < cy, np.sqrt(np.maximum(radius**2 - (y - cy) ** 2, 0)), radius * (1 - 0.86 * down**1.9))
    across = np.clip((x - cx) / np.maximum(half, 1), -1, 1)
    turn = np.arcsin(across)
    stripes = np.floor(turn / np.pi * 12 + 24).astype(int)
    bands = np.array([colour(c) for c in ("d23b2f", "f2b134", "f7efdc")])
    tint = bands[stripes % 3]
    belt = np.abs((y - cy) / radius - 0.16 - 0.06 * np.cos(turn)) < 0.075
    tint = np.where(belt[..., None], colour("274b7a"), tint)
    upward = np.where(y < cy, (cy - y) / radius, -0.55 * down)
    light = np.clip(0.52 - 0.52 * across * 0.9 + 0.34 * upward, 0, 1)
    seam = 1 - 0.16 * smooth(0.10, 0.0, np.abs((turn / np.pi * 12) % 1 - 0.5) * -1 + 0.5)
    cloth = tint * ((0.40 + 0.72 * light) * seam)[..., None]
    cloth += np.exp(-(((across + 0.42) / 0.22) ** 2) - (((y - cy) / radius + 0.45) / 0.28) ** 2)[..., None] * 0.22
    inside = smooth(1.5, -1.5, np.abs(x - cx) - half) * (y > cy - radius) * smooth(1, -1, y - foot)
    image = to_image(mix(picture, cloth, inside))

    draw = ImageDraw.Draw(image)
    basket_top, basket_low = foot + 0.075 * h, foot + 0.118 * h
    for side in (-1.0, -0.35, 0.35, 1.0):
        draw.line([(cx + side * radius * 0.135, foot - 2), (cx + side * 40, basket_top + 3)], fill=(66, 48, 38), width=4)
    draw.polygon([(cx - 44, basket_top), (cx + 44, basket_top), (cx + 35, basket_low), (cx - 35, basket_low)], fill=(124, 80, 44))
    for row in np.linspace(basket_top + 12, basket_low - 8, 6):
        draw.line([(cx - 41, row), (cx + 40, row)], fill=(98, 60, 32), width=3)
    draw.rounded_rectangle((cx - 48, basket_top - 6, cx + 48, basket_top + 8), 6, fill=(82, 50, 28))
    for offset, coat in ((-17, (44, 62, 96)), (15, (150, 54, 48))):  # two passengers
        draw.rounded_rectangle((cx + offset - 11, basket_top - 34, cx + offset + 11, basket_top - 4), 9, fill=coat)
        draw.ellipse((cx + offset - 8, basket_top - 52, cx + offset + 8, basket_top - 34), fill=(226, 182, 150))
    return image.resize((width, height), Image.LANCZOS)


def still_life(width=896, height=640):
    """Fruit on a table beside a window: spheres by ray casting, with soft shadows."""
    scale = 2
    w, h = width * scale, height * scale
    rng = np.random.default_rng(11)
    py, px = np.mgrid[0:h, 0:w].astype(np.float64)
    eye = np.array([0.0, 1.75, -6.2])
    direction = np.stack([(px - w / 2) / h * 1.05, -(py - h * 0.43) / h * 1.05 - 0.12, np.ones_like(px)], axis=-1)
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    lamp = np.array([-5.0, 6.0, -3.5])
    fruits = [  # centre, radius, colour, second colour
        ((-1.15, 0.80, 0.25), 0.80, "c8281e", "e9b44a"), ((0.42, 0.72, -0.35), 0.72, "8fb03a", "d9d26a"),
        ((1.75, 0.62, 0.45), 0.62, "e8861c", "f4a63a"), ((-0.25, 0.68, 1.35), 0.68, "d9a327", "f2cf5c"),
        ((-2.45, 0.42, -0.55), 0.42, "5a2350", "8a4a86"), ((-1.95, 0.34, -1.25), 0.34, "6b2a5c", "95558e"),
        ((2.62, 0.36, -0.75), 0.36, "6d1f2e", "b04050"),
    ]

    def hit(origin, way, centre, radius):
        to = origin - centre
        b = np.sum(to * way, axis=-1)
        root = b * b - np.sum(to * to, axis=-1) + radius * radius
        distance = -b - np.sqrt(np.maximum(root, 0))
        return np.where((root > 0) & (distance > 1e-4), distance, np.inf)

    def shadow(points):
        """How much of a round lamp each point sees."""
        light = np.zeros(points.shape[:-1])
        for sample in range(24):
            angle, reach = 2.399963 * sample, 0.95 * np.sqrt((sample + 0.5) / 24)
            target = lamp + reach * np.array([np.cos(angle), np.sin(angle), 0.6 * np.sin(angle)])
            way = target - points
            way /= np.linalg.norm(way, axis=-1, keepdims=True)
            free = np.ones(points.shape[:-1], dtype=bool)
            for centre, radius, *_ in fruits:
                free &= ~np.isfinite(hit(points + way * 1e-3, way, np.array(centre), radius))
            light += free
        return light / 24

    # Wall with the light of a window, and a wooden table.
    wall = gradient([(0, colour("55606a")), (1, colour("8d8a80"))], px / w)
    wall *= (0.82 + 0.30 * fractal((h, w), (200, 260), 4, rng))[..., None]
    pane = shade(lambda draw: [draw.polygon([(w * (a + 0.02), h * t), (w * (a + 0.12), h * (t - 0.015)), (w * (a + 0.15), h * (t + 0.17)),
                                             (w * (a + 0.05), h * (t + 0.19))], fill=255) for a in (0.52, 0.66) for t in (0.05, 0.26)], (w, h), 14)
    wall = mix(wall, colour("fff0cc"), pane * 0.45)
    distance = np.where(direction[..., 1] < -1e-6, -eye[1] / np.minimum(direction[..., 1], -1e-6), np.inf)
    ground = eye + direction * np.minimum(distance, 50)[..., None]
    on_table = ground[..., 2] < 3.4
    grain = np.sin(34 * (ground[..., 2] + 0.10 * np.sin(1.3 * ground[..., 0]) + 0.5 * fractal((h, w), (70, 700), 3, rng)))
    wood = mix(colour("6f4526"), colour("a06a3a"), 0.5 + 0.28 * grain)
    wood *= (1 - 0.55 * (np.abs((ground[..., 2] + 8) % 1.45 - 0.02) < 0.02))[..., None]
    table_light = np.zeros((h, w))
    table_light[on_table] = shadow(ground[on_table])
    to_lamp = lamp - ground
    facing = to_lamp[..., 1] / np.linalg.norm(to_lamp, axis=-1)
    contact = np.ones((h, w))
    for centre, radius, *_ in fruits:
        gap = np.hypot(ground[..., 0] - centre[0], ground[..., 2] - centre[2]) / radius
        contact *= 1 - 0.55 * np.exp(-(gap**2) * 1.7)
    wood = wood * (0.30 * contact + 1.05 * facing * table_light)[..., None]
    picture = np.where(on_table[..., None], wood, wall)

    # The fruit.
    nearest = np.where(on_table, distance, np.inf)
    for index, (centre, radius, first, second) in enumerate(fruits):
        centre = np.array(centre)
        reach = hit(eye, direction, centre, radius)
        seen = reach < nearest
        points = eye + direction[seen] * reach[seen][:, None]
        normal = (points - centre) / radius
        way = lamp - points
        way /= np.linalg.norm(way, axis=-1, keepdims=True)
        turned = np.arctan2(normal[:, 2], normal[:, 0])
        streaks = 0.5 + 0.5 * np.sin(turned * 23 + 3 * np.sin(5 * normal[:, 1] + index))
        blend = np.clip(smooth(0.2, 1.0, normal[:, 1]) * 0.8 + 0.25 * streaks * smooth(-0.6, 0.8, normal[:, 1]), 0, 1)
        tint = mix(colour(first), colour(second), blend)
        diffuse = np.clip(np.sum(normal * way, axis=-1), 0, 1) * shadow(points + normal * 2e-3)
        half = way - direction[seen]
        half /= np.linalg.norm(half, axis=-1, keepdims=True)
        gloss = np.clip(np.sum(normal * half, axis=-1), 0, 1) ** 70 * (diffuse > 0)
        ambient = 0.16 + 0.16 * smooth(-0.2, 1, normal[:, 1])
        bounce = smooth(0.1, -0.9, normal[:, 1])[:, None] * colour("a06a3a") * 0.22
        picture[seen] = tint * (ambient + 1.0 * diffuse)[:, None] + tint * bounce + gloss[:, None] * 0.55
        nearest = np.minimum(nearest, reach)
    picture = picture**0.92
    vignette = 1 - 0.35 * np.clip(np.hypot((px / w - 0.5) * 1.1, py / h - 0.5) - 0.3, 0, 1)
    image = to_image(picture * vignette[..., None])
    draw = ImageDraw.Draw(image)
    for centre, radius, *_ in fruits[:2]:  # stalks
        top = np.array(centre) + np.array([0.02, radius * 0.94, -0.05])
        stem = []
        for t in np.linspace(0, 1, 8):
            point = top + np.array([0.10 * t * t, 0.26 * t, 0]) - eye
            stem.append((point[0] / point[2] / 1.05 * h + w / 2, -(point[1] / point[2] + 0.12) / 1.05 * h + h * 0.43))
        draw.line(stem, fill=(58, 38, 24), width=11, joint="curve")
    return image.resize((width, height), Image.LANCZOS)


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "examples"
    folder.mkdir(parents=True, exist_ok=True)
    lake().save(folder / "lake.jpg", quality=88)
    balloon().save(folder / "balloon.jpg", quality=88)
    still_life().save(folder / "still_life.jpg", quality=88)


if __name__ == "__main__":
    main()
