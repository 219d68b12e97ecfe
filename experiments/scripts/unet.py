"""A U-Net that says of each pixel whether it belongs to a disc laid over a drawn photograph.

    python -m experiments.scripts.unet

Down by convolutions and pooling, up by transposed convolutions, and at each size the maps from the
way down beside those on the way up (Ronneberger, Fischer and Brox, MICCAI 2015). A disc shows
another photograph, so that only its edge and what is on it tell it from the rest.
"""

import numpy as np

import minigrad as torch
import minigrad.nn.functional as F
from experiments.scripts.photos import batches, dog_photos
from minigrad import nn


class DoubleConv(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.double_conv = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True),
            nn.Conv2d(out_channels, out_channels, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True))

    def forward(self, x):
        return self.double_conv(x)


class UNet(nn.Module):
    def __init__(self, widths=(8, 16, 32)):
        super().__init__()
        self.downs, self.ups = nn.ModuleList(), nn.ModuleList()
        channels = 3
        for width in widths:
            self.downs.append(DoubleConv(channels, width))
            channels = width
        for width in reversed(widths[:-1]):
            self.ups.append(nn.ConvTranspose2d(2 * width, width, kernel_size=2, stride=2))
            self.ups.append(DoubleConv(2 * width, width))
        self.final_conv = nn.Conv2d(widths[0], 1, kernel_size=1)

    def forward(self, x):
        skips = []
        for down in self.downs[:-1]:
            x = down(x)
            skips.append(x)
            x = F.max_pool2d(x, kernel_size=2, stride=2)
        x = self.downs[-1](x)
        for i in range(0, len(self.ups), 2):
            x = self.ups[i](x)
            skip = skips.pop()
            if x.shape != skip.shape:
                x = F.interpolate(x, size=skip.shape[2:], mode="bilinear", align_corners=False)
            x = self.ups[i + 1](torch.cat((skip, x), dim=1))
        return self.final_conv(x)


def discs(count, size, seed=0):
    """Photographs (count, 3, size, size) with a disc of another one in each, and the masks."""
    images, _ = dog_photos(count, size)
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size]
    centres, radii = rng.uniform(0.25, 0.75, (2, count, 1, 1)) * size, rng.uniform(5, 9, count)
    masks = ((rows - centres[0]) ** 2 + (columns - centres[1]) ** 2
             < radii[:, None, None] ** 2)[:, None]
    return np.where(masks, -np.roll(images, 1, axis=0), images), masks.astype(np.float32)


def dice(logits, masks):
    """Twice the common area over the sum of both areas."""
    found = (torch.sigmoid(logits) > 0.5).float()
    return (2 * (found * masks).sum() / ((found + masks).sum() + 1e-8)).item()


def build(dtype=torch.float32):
    torch.manual_seed(0)
    return UNet().to(dtype)


def train(model, steps, batch_size=8, size=37):
    dtype = next(model.parameters()).dtype
    images, masks = discs(56, size)
    criterion = nn.BCEWithLogitsLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=800)
    model.train()
    for _, chosen in zip(range(steps), batches(len(images), batch_size)):
        x = torch.tensor(images[chosen], dtype=dtype)
        y = torch.tensor(masks[chosen], dtype=dtype)
        loss = criterion(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        yield loss.item()


def main():
    model = build()
    for step, loss in enumerate(train(model, 400), 1):
        if step == 1 or step % 100 == 0:
            print(f"step {step:3d}  loss {loss:.3f}")
    images, masks = discs(16, 37, seed=1)
    with torch.no_grad():
        logits = model.eval()(torch.tensor(images))
    print(f"Dice on other discs: {dice(logits, torch.tensor(masks)):.3f}")


if __name__ == "__main__":
    main()
