"""What a matplotlib figure shows, as plain numbers and texts."""

import numpy as np


def named(ax):
    """{text in the legend: (x, y)} of the lines with data that have one."""
    return {line.get_label(): tuple(map(list, line.get_data())) for line in ax.lines
            if not line.get_label().startswith("_") and len(line.get_xdata())}


def bars(ax):
    """{text in the legend: lengths of the bars}."""
    return {group.get_label(): [bar.get_width() if group.orientation == "horizontal" else
                                bar.get_height() for bar in group] for group in ax.containers}


def middles(ax):
    """{text in the legend: where the bars lie along the axis of names}."""
    def middle(bar, horizontal):
        return bar.get_y() + bar.get_height() / 2 if horizontal else (
            bar.get_x() + bar.get_width() / 2)
    return {group.get_label(): np.round([middle(bar, group.orientation == "horizontal")
                                         for bar in group], 9).tolist()
            for group in ax.containers}


def texts(ax):
    return [text.get_text() for text in ax.texts]


def ticks(ax, axis):
    """{place: text} of an axis of names."""
    axis = getattr(ax, f"{axis}axis")
    return dict(zip(np.asarray(axis.get_ticklocs()).tolist(),
                    (label.get_text() for label in axis.get_ticklabels())))


def legend(owner):
    """The texts of the one legend of a figure or of axes."""
    found = owner.get_legend() if hasattr(owner, "get_legend") else owner.legends[0]
    return [text.get_text() for text in found.get_texts()]


def labels(ax):
    return ax.get_xlabel(), ax.get_ylabel()


def scales(ax):
    return ax.get_xscale(), ax.get_yscale()


def pictures(ax):
    return [np.asarray(image.get_array()) for image in ax.images]
