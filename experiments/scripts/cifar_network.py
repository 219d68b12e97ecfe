"""The small network of many first lessons, on drawn photographs of dogs of CIFAR's size.

    python -m experiments.scripts.cifar_network

Two convolutions, two poolings, three linear layers; momentum, a schedule, and the share of right
answers on photographs that it has not seen.
"""

import minigrad as torch
import minigrad.nn.functional as F
from experiments.scripts.photos import batches, dog_photos
from minigrad import nn, optim
from minigrad.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 5)
        self.pool = nn.MaxPool2d(2, 2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 7)

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = torch.flatten(x, 1)
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        return self.fc3(x)


def build(dtype=torch.float32):
    torch.manual_seed(0)
    return Net().to(dtype)


def train(model, steps, batch_size=16):
    dtype = next(model.parameters()).dtype
    images, labels = dog_photos(210, 32)
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.SGD(model.parameters(), lr=0.01, momentum=0.9, nesterov=True)
    scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=200, gamma=0.5)
    model.train()
    for _, chosen in zip(range(steps), batches(len(images), batch_size)):
        x = torch.from_numpy(images[chosen]).to(dtype)
        y = torch.from_numpy(labels[chosen])
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        scheduler.step()
        yield loss.item()


def accuracy(model):
    """The share of right answers on 70 photographs of other dogs."""
    images, labels = dog_photos(70, 32, seed=1)
    dataset = TensorDataset(torch.from_numpy(images), torch.from_numpy(labels))
    correct = total = 0
    model.eval()
    with torch.no_grad():
        for x, y in DataLoader(dataset, batch_size=32, shuffle=False):
            _, predicted = torch.max(model(x), 1)
            total += y.size(0)
            correct += (predicted == y).sum().item()
    return correct / total


def main():
    model = build()
    running = 0.0
    for step, loss in enumerate(train(model, 600), 1):
        running += loss
        if step % 100 == 0:
            print(f"[{step:4d}] loss: {running / 100:.3f}")
            running = 0.0
    print(f"right on new photographs: {accuracy(model):.0%} (one in seven by chance)")


if __name__ == "__main__":
    main()
