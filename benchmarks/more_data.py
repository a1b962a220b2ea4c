"""How often is the prediction for twice the data right? Simulated studies with known curves.

    python benchmarks/more_data.py [--studies 2000]

Each study has six scenarios and some seeds on every data amount; noise is normal. What is predicted
from the best scenario of each amount is compared with the curve's own value at twice the data.
Studies without a prediction are counted apart: they say that it cannot be told.
"""

from __future__ import annotations

import numpy as np
from _common import parser, report, table

from fzmm.analysis.conclusions.learning_curve import NO, YES, curve_of_means

# mAP at a share of the data; the last two should never be told to help.
CURVES = {
    "power law": lambda x: 0.40 - 0.05 * x**-0.6,
    "logarithm": lambda x: 0.35 + 0.04 * np.log(x),
    "exponential": lambda x: 0.38 - 0.15 * np.exp(-3 * x),
    "Janoschek": lambda x: 0.40 - 0.2 * np.exp(-1.5 * np.sqrt(x)),
    "saturated": lambda x: 0.38 - 0.15 * np.exp(-8 * x),
    "plateau": lambda x: 0.35 + 0 * x,
}
SIZES = {"four amounts": (0.125, 0.25, 0.5, 1.0), "thesis": (0.25, 0.25, 0.25, 0.5, 1.0)}
SCENARIOS = 6


def main() -> None:
    """Run the simulation and print its table."""
    arguments = parser(__doc__.splitlines()[0])
    arguments.add_argument("--studies", type=int, default=2000, help="of each curve")
    arguments.add_argument("--sigma", type=float, nargs="+", default=[0.0015, 0.003])
    arguments.add_argument("--seeds", type=int, default=3, help="runs of each scenario")
    args = arguments.parse_args()

    rows, results = [], []
    for layout, sizes in SIZES.items():
        for sigma in args.sigma:
            for name, truth in CURVES.items():
                result = simulate(truth, np.array(sizes), sigma, args)
                results.append({"layout": layout, "sigma": sigma, "curve": name, **result})
                shares = [f"{result[key]:.2f}" for key in ("none", "covered", "yes", "no")]
                rows.append([layout, f"{100 * sigma:g} pp", name, *shares])
    headers = ["amounts", "sigma", "true curve", "no prediction", "covers the truth", "yes", "no"]
    report("more_data", args, table(headers, rows), {"rows": results})


def simulate(truth, sizes: np.ndarray, sigma: float, args) -> dict[str, float]:
    """Return shares of studies: without a prediction, covering (of the rest), yes and no."""
    generator = np.random.default_rng(args.seed)
    gain = float(truth(2.0) - truth(1.0))
    counts = dict.fromkeys(("none", "covered", "yes", "no"), 0)
    for _ in range(args.studies):
        curve = simulated_curve(truth, sizes, sigma, args.seeds, generator)
        if curve.gain is None:
            counts["none"] += 1
            continue
        counts["covered"] += curve.gain.low <= gain <= curve.gain.high
        counts["yes"] += curve.verdict == YES
        counts["no"] += curve.verdict == NO

    given = args.studies - counts["none"]
    shares = {key: count / args.studies for key, count in counts.items()}
    return {**shares, "covered": counts["covered"] / given if given else float("nan")}


def simulated_curve(truth, sizes, sigma: float, seeds: int, generator):
    """Return the learning curve of one study whose scenarios lie up to 1 pp below the best."""
    profile = np.linspace(-0.01, 0.0, SCENARIOS)
    noise_free = truth(sizes)[:, None, None] + profile[None, :, None]
    runs = noise_free + sigma * generator.standard_normal((len(sizes), SCENARIOS, seeds))
    means = runs.mean(axis=2)
    freedom = len(sizes) * SCENARIOS * (seeds - 1)
    deviation = float(np.sqrt(((runs - means[..., None]) ** 2).sum() / freedom))
    points = [
        (float(size), float(top), seeds) for size, top in zip(sizes, means.max(1), strict=True)
    ]
    return curve_of_means(points, deviation, freedom)


if __name__ == "__main__":
    main()
