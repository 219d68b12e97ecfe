"""A variational auto-encoder of small grey photographs: it encodes, decodes, and dreams.

    python -m experiments.scripts.vae

The encoder says mean and variance of a code z, the decoder draws the photograph from it, and the
loss is what is lost plus how far the codes are from N(0, 1) (Kingma and Welling, ICLR 2014,
equation 10). The noise that makes z comes from NumPy.
"""

import numpy as np

import minigrad as torch
import minigrad.nn.functional as F
from experiments.scripts.photos import batches, dog_photos
from minigrad import nn

SIZE, CODE = 16, 8


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(SIZE * SIZE, 128)
        self.fc21 = nn.Linear(128, CODE)
        self.fc22 = nn.Linear(128, CODE)
        self.fc3 = nn.Linear(CODE, 128)
        self.fc4 = nn.Linear(128, SIZE * SIZE)

    def encode(self, x):
        h1 = F.relu(self.fc1(x))
        return self.fc21(h1), self.fc22(h1)

    def reparameterize(self, mu, logvar, eps):
        std = torch.exp(0.5 * logvar)
        return mu + eps * std

    def decode(self, z):
        h3 = F.relu(self.fc3(z))
        return torch.sigmoid(self.fc4(h3))

    def forward(self, x, eps):
        mu, logvar = self.encode(x.view(-1, SIZE * SIZE))
        z = self.reparameterize(mu, logvar, eps)
        return self.decode(z), mu, logvar


def loss_function(recon_x, x, mu, logvar):
    """What is lost, and the divergence of the codes from N(0, 1), as sums."""
    lost = F.binary_cross_entropy(recon_x, x.view(-1, SIZE * SIZE), reduction="sum")
    divergence = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return lost + divergence


def grey_photos(count):
    images, _ = dog_photos(count, SIZE)
    return (images.mean(axis=1) + 1) / 2


def build(dtype=torch.float32):
    torch.manual_seed(0)
    return VAE().to(dtype)


def train(model, steps, batch_size=32):
    dtype = next(model.parameters()).dtype
    images, rng = grey_photos(140), np.random.default_rng(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    model.train()
    for _, chosen in zip(range(steps), batches(len(images), batch_size)):
        data = torch.tensor(images[chosen], dtype=dtype)
        eps = torch.tensor(rng.standard_normal((len(chosen), CODE)), dtype=dtype)
        optimizer.zero_grad()
        recon_batch, mu, logvar = model(data, eps)
        loss = loss_function(recon_batch, data, mu, logvar) / len(data)
        loss.backward()
        optimizer.step()
        yield loss.item()


def dream(model, count=1, seed=0):
    """Photographs (count, SIZE, SIZE) of codes that are drawn from N(0, 1)."""
    z = torch.tensor(np.random.default_rng(seed).standard_normal((count, CODE)),
                     dtype=next(model.parameters()).dtype)
    with torch.no_grad():
        return model.decode(z).view(count, SIZE, SIZE).cpu().numpy()


def main():
    model = build()
    for step, loss in enumerate(train(model, 1000), 1):
        if step == 1 or step % 200 == 0:
            print(f"step {step:4d}  loss per photograph {loss:.2f}")
    print("a dog that it dreams:")
    for row in dream(model)[0]:
        print("".join(" .:-=+*#%@"[int(10 * min(float(value), 0.999))] * 2 for value in row))


if __name__ == "__main__":
    main()
