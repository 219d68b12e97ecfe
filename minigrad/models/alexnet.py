"""AlexNet: a large network of convolutions learns ImageNet's thousand classes from the pixels.

Its idea was ReLU, which trains several times faster than tanh, with dropout in the wide linear
layers against overfitting, on two GPUs (Krizhevsky, Sutskever, Hinton, "ImageNet classification
with deep convolutional neural networks", NeurIPS 2012, sections 3.1 and 4.2). The sizes here are
torchvision's, those of the later version for one GPU: Krizhevsky, "One weird trick for
parallelizing convolutional neural networks", arXiv 1404.5997, section 5.
"""

from minigrad import nn
from minigrad.models.layers import features_and_classifier
from minigrad.models.pretrained import builder


@builder()
def alexnet(num_classes: int, dropout: float = 0.5) -> nn.Sequential:
    """AlexNet: 61 100 840 parameters with 1000 classes; the last layer is "classifier.6".

    x (N, 3, H, W), H and W 63 or more -> one score per class, (N, num_classes). num_classes None:
    1000, or as many as the file of the weights has. weights: None for fresh ones, a file, or
    "imagenet"; `minigrad.models.pretrained` lists other forms and the errors. dropout: the
    probability of both dropout layers.
    """
    def conv(c_in: int, c_out: int, size: int, stride: int = 1) -> tuple[nn.Module, ...]:
        return nn.Conv2d(c_in, c_out, size, stride, padding=min(size // 2, 2)), nn.ReLU()

    def linear(c_in: int) -> tuple[nn.Module, ...]:
        return nn.Dropout(dropout), nn.Linear(c_in, 4096), nn.ReLU()

    features = [*conv(3, 64, 11, 4), nn.MaxPool2d(3, 2), *conv(64, 192, 5), nn.MaxPool2d(3, 2),
                *conv(192, 384, 3), *conv(384, 256, 3), *conv(256, 256, 3), nn.MaxPool2d(3, 2)]
    return features_and_classifier(features, *linear(256 * 6 * 6), *linear(4096),
                                   nn.Linear(4096, num_classes), pooled=(6, 6))
