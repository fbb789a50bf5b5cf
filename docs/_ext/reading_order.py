"""In which order the gallery shows the examples."""

from __future__ import annotations

ORDER = (
    "first_fit",
    "label_f1",
    "thresholds",
    "explanations",
    "mistakes",
    "grid_search",
    "learning_curve",
    "save_load",
    "sigmoid_softmax",
    "cooccurrence",
    "reliability",
    "embeddings",
)


class ReadingOrder:
    """What the gallery sorts file names by; an example that is not in the list stops the build."""

    def __init__(self, src_dir: str) -> None:
        pass

    def __call__(self, filename: str) -> int:
        return ORDER.index(filename.removeprefix("plot_").removesuffix(".py"))
