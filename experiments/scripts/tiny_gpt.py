"""A language model of 63,000 parameters that learns five sonnets letter by letter.

    python -m experiments.scripts.tiny_gpt

A transformer that sees only what came before (Radford et al., 2018): embeddings of letters and of
places, blocks of masked attention and a small network, each after a layer norm, and a score for
each letter that may come next. Attention is written out. The text is poems.txt beside this file:
sonnets 18, 29, 30, 73 and 116 of Shakespeare's (1609).
"""

import math
from importlib.resources import files

import numpy as np

import minigrad as torch
import minigrad.nn as nn
import minigrad.nn.functional as F

TEXT = files("experiments.scripts").joinpath("poems.txt").read_text(encoding="utf-8")
LETTERS = sorted(set(TEXT))
CODES = {letter: i for i, letter in enumerate(LETTERS)}
CONTEXT, WIDTH, HEADS, BLOCKS = 32, 48, 4, 2


class CausalSelfAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.c_attn = nn.Linear(WIDTH, 3 * WIDTH)
        self.c_proj = nn.Linear(WIDTH, WIDTH)
        self.register_buffer("mask", torch.tril(torch.ones(CONTEXT, CONTEXT)).view(
            1, 1, CONTEXT, CONTEXT))

    def forward(self, x):
        B, T, C = x.size()
        q, k, v = self.c_attn(x).split(WIDTH, dim=2)
        q = q.view(B, T, HEADS, C // HEADS).transpose(1, 2)
        k = k.view(B, T, HEADS, C // HEADS).transpose(1, 2)
        v = v.view(B, T, HEADS, C // HEADS).transpose(1, 2)
        att = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
        att = att.masked_fill(self.mask[:, :, :T, :T] == 0, float("-inf"))
        att = F.softmax(att, dim=-1)
        y = (att @ v).transpose(1, 2).contiguous().view(B, T, C)
        return self.c_proj(y)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln_1 = nn.LayerNorm(WIDTH)
        self.attn = CausalSelfAttention()
        self.ln_2 = nn.LayerNorm(WIDTH)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(),
                                 nn.Linear(4 * WIDTH, WIDTH), nn.Dropout(0.0))

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class GPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.transformer = nn.ModuleDict(dict(
            wte=nn.Embedding(len(LETTERS), WIDTH), wpe=nn.Embedding(CONTEXT, WIDTH),
            h=nn.ModuleList([Block() for _ in range(BLOCKS)]), ln_f=nn.LayerNorm(WIDTH)))
        self.lm_head = nn.Linear(WIDTH, len(LETTERS), bias=False)
        self.apply(self._init_weights)

    def _init_weights(self, module):
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, mean=0.0, std=0.02)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)

    def forward(self, idx, targets=None):
        places = torch.arange(0, idx.size(1), dtype=torch.long, device=idx.device)
        x = self.transformer.wte(idx) + self.transformer.wpe(places)
        for block in self.transformer.h:
            x = block(x)
        logits = self.lm_head(self.transformer.ln_f(x))
        if targets is None:
            return logits, None
        return logits, F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1))

    @torch.no_grad()
    def generate(self, idx, count, rng, temperature=0.8):
        """`idx` (B, T) and `count` letters more, each drawn with the chance that the model gives it.

        rng: a NumPy generator, so that every library writes the same.
        """
        self.eval()
        for _ in range(count):
            logits, _ = self(idx[:, -CONTEXT:])
            chances = F.softmax(logits[:, -1, :] / temperature, dim=-1)
            ends = chances.cumsum(dim=-1)
            places = torch.tensor(rng.random((idx.size(0), 1)), dtype=ends.dtype)
            following = (ends < places).sum(dim=-1, keepdim=True).clamp(max=len(LETTERS) - 1)
            idx = torch.cat((idx, following), dim=1)
        return idx


def build(dtype=torch.float32):
    torch.manual_seed(0)
    return GPT().to(dtype)


def train(model, steps, batch_size=16, lr=3e-3):
    codes = torch.tensor([CODES[letter] for letter in TEXT], dtype=torch.long)
    rng = np.random.default_rng(0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, betas=(0.9, 0.95), weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1, (step + 1) / 20))
    model.train()
    for _ in range(steps):
        starts = rng.integers(0, len(codes) - CONTEXT, batch_size).tolist()
        x = torch.stack([codes[i:i + CONTEXT] for i in starts])
        y = torch.stack([codes[i + 1:i + 1 + CONTEXT] for i in starts])
        _, loss = model(x, y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        yield loss.item()


def write(model, start="Shall ", count=200, seed=0):
    idx = torch.tensor([[CODES[letter] for letter in start]])
    return "".join(LETTERS[i] for i in
                   model.generate(idx, count, np.random.default_rng(seed))[0].tolist())


def main():
    model = build()
    print(f"{sum(p.numel() for p in model.parameters())} parameters, {len(TEXT)} letters")
    for step, loss in enumerate(train(model, 1500), 1):
        if step == 1 or step % 250 == 0:
            print(f"step {step:4d}  loss {loss:.3f}")
    print(write(model))


if __name__ == "__main__":
    main()
