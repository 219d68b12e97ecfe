"""A small vision transformer that tells breeds of drawn dogs apart.

    python -m experiments.scripts.vit

The photograph is cut into patches, each patch becomes a vector, and a transformer encoder mixes
them; the class token's vector is read out (Dosovitskiy et al., ICLR 2021, equations 1 to 4).
"""

import minigrad as torch
from experiments.scripts.photos import batches, dog_photos
from minigrad import nn

SIZE, PATCH, WIDTH, HEADS, BLOCKS = 32, 8, 32, 4, 2


class ViT(nn.Module):
    def __init__(self, num_classes=7):
        super().__init__()
        self.patches = nn.Conv2d(3, WIDTH, kernel_size=PATCH, stride=PATCH)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.pos_embedding = nn.Parameter(0.02 * torch.randn(1, (SIZE // PATCH) ** 2 + 1, WIDTH))
        layer = nn.TransformerEncoderLayer(WIDTH, HEADS, dim_feedforward=2 * WIDTH, dropout=0.0,
                                           activation="gelu", batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, BLOCKS, enable_nested_tensor=False)
        self.head = nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, num_classes))

    def forward(self, images):
        x = self.patches(images).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(x.shape[0], -1, -1), x], dim=1)
        x = self.encoder(x + self.pos_embedding)
        return self.head(x[:, 0])


def build(dtype=torch.float32):
    torch.manual_seed(0)
    return ViT().to(dtype)


def train(model, steps, batch_size=21):
    dtype = next(model.parameters()).dtype
    images, labels = dog_photos(210, SIZE)
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.05)
    warm = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.1, total_iters=20)
    cool = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=480)
    scheduler = torch.optim.lr_scheduler.SequentialLR(optimizer, [warm, cool], milestones=[20])
    model.train()
    for _, chosen in zip(range(steps), batches(len(images), batch_size)):
        x = torch.as_tensor(images[chosen], dtype=dtype)
        y = torch.as_tensor(labels[chosen])
        loss = criterion(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        yield loss.item()


def accuracy(model):
    """The share of right answers on 70 photographs of other dogs."""
    images, labels = dog_photos(70, SIZE, seed=1)
    model.eval()
    with torch.inference_mode():
        predicted = model(torch.from_numpy(images)).argmax(dim=1)
    return (predicted == torch.from_numpy(labels)).float().mean().item()


def main():
    model = build()
    for step, loss in enumerate(train(model, 500), 1):
        if step == 1 or step % 100 == 0:
            print(f"step {step:3d}  loss {loss:.3f}")
    print(f"right on new photographs: {accuracy(model):.0%} (one in seven by chance)")


if __name__ == "__main__":
    main()
