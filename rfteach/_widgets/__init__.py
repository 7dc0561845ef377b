"""Widgets: flows to touch, in JupyterLab, on Colab, and in a page without a kernel.

The page computes the flow by itself, at every position of every control; nothing is recorded. (Only
`retrain`, which trains a network, needs a kernel.) Each widget is a module with the function that
makes it, and one with its class, which is loaded on first use.
"""

from rfteach._widgets.crossing import crossing
from rfteach._widgets.image_playground import image_playground
from rfteach._widgets.playground import playground
from rfteach._widgets.retrain import retrain
from rfteach._widgets.steering_playground import steering_playground

__all__ = ["crossing", "image_playground", "playground", "retrain", "steering_playground"]
