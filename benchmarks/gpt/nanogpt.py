"""nanoGPT's model and loop, written from its description in plain PyTorch.

Karpathy's nanoGPT: a GPT-2 block without biases, scaled-dot-product attention, AdamW with decay on
matrices, random windows from a memory-mapped file of 16-bit ids, a cosine learning rate, an
estimate of both losses every 250 steps from 20 batches. Nothing of heedful is imported here.
"""

__all__ = ["Nano", "estimate", "train"]

import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

WINDOW, BATCH, LAYERS, HEADS, WIDTH = 64, 12, 4, 4, 128
STEPS, WARMUP, PEAK, LOWEST = 2000, 100, 1e-3, 1e-4
EVERY, EVAL_BATCHES = 250, 20


class Norm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(WIDTH))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.layer_norm(x, self.weight.shape, self.weight, None, 1e-5)


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = Norm(), Norm()
        self.c_attn = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.c_proj = nn.Linear(WIDTH, WIDTH, bias=False)
        self.c_fc = nn.Linear(WIDTH, 4 * WIDTH, bias=False)
        self.mlp_c_proj = nn.Linear(4 * WIDTH, WIDTH, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows, length, _ = x.shape
        shape = (rows, length, HEADS, WIDTH // HEADS)
        parts = self.c_attn(self.ln_1(x)).split(WIDTH, dim=2)
        q, k, v = (part.view(shape).transpose(1, 2) for part in parts)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.c_proj(y.transpose(1, 2).contiguous().view(rows, length, WIDTH))
        return x + self.mlp_c_proj(F.gelu(self.c_fc(self.ln_2(x))))


class Nano(nn.Module):
    def __init__(self, entries: int) -> None:
        super().__init__()
        self.wte, self.wpe = nn.Embedding(entries, WIDTH), nn.Embedding(WINDOW, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.ln_f = Norm()
        self.lm_head = nn.Linear(WIDTH, entries, bias=False)
        self.wte.weight = self.lm_head.weight
        for name, weight in self.named_parameters():
            if weight.dim() > 1:
                narrow = name.endswith("c_proj.weight")
                nn.init.normal_(weight, std=0.02 / math.sqrt(2 * LAYERS) if narrow else 0.02)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.wte(ids) + self.wpe(torch.arange(ids.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.lm_head(self.ln_f(x))

    def loss(self, ids: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
        logits = self(ids)
        return F.cross_entropy(logits.view(-1, logits.shape[-1]), after.view(-1))


@dataclass
class Files:
    """The two files that nanoGPT's prepare.py writes."""

    train: Path
    val: Path

    def batch(self, split: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Its get_batch: the file is mapped anew for each."""
        data = np.memmap(getattr(self, split), np.uint16, "r")
        at = torch.randint(len(data) - WINDOW, (BATCH,))
        ids = [torch.from_numpy(data[i : i + WINDOW].astype(np.int64)) for i in at]
        after = [torch.from_numpy(data[i + 1 : i + 1 + WINDOW].astype(np.int64)) for i in at]
        return torch.stack(ids), torch.stack(after)


def prepare(text: str, folder: Path) -> tuple[Files, list[str]]:
    """Its prepare.py: characters become numbers, the last tenth is for validation."""
    characters = sorted(set(text))
    number = {character: n for n, character in enumerate(characters)}
    ids = np.array([number[character] for character in text], np.uint16)
    files, cut = Files(folder / "train.bin", folder / "val.bin"), int(len(text) * 0.9)
    ids[:cut].tofile(files.train)
    ids[cut:].tofile(files.val)
    return files, characters


@torch.no_grad()
def estimate(model: Nano, files: Files, batches: int) -> dict[str, float]:
    """Its estimate_loss."""
    model.eval()
    found = {
        split: sum(float(model.loss(*files.batch(split))) for _ in range(batches)) / batches
        for split in ("train", "val")
    }
    model.train()
    return found


def rate(step: int) -> float:
    """Its get_lr, for steps from 0."""
    if step < WARMUP:
        return PEAK * (step + 1) / (WARMUP + 1)
    gone = min(1.0, (step - WARMUP) / (STEPS - WARMUP))
    return LOWEST + 0.5 * (1 + math.cos(math.pi * gone)) * (PEAK - LOWEST)


def train(
    text: str, folder: Path, seed: int, steps: int, fused: bool
) -> tuple[Nano, Files, list[str], float]:
    """Train; return the model, its files and characters, and the seconds of training alone."""
    torch.manual_seed(seed)
    files, characters = prepare(text, folder)
    model = Nano(len(characters))
    weights = list(model.parameters())
    groups = [
        {"params": [w for w in weights if w.dim() > 1], "weight_decay": 0.1},
        {"params": [w for w in weights if w.dim() < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=PEAK, betas=(0.9, 0.99), fused=fused)
    ids, after = files.batch("train")
    seconds = 0.0
    for step in range(steps):
        if step % EVERY == 0:
            estimate(model, files, EVAL_BATCHES)
        started = time.perf_counter()
        for group in optimizer.param_groups:
            group["lr"] = rate(step)
        loss = model.loss(ids, after)
        ids, after = files.batch("train")
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        loss.item()  # it shows the loss of each step
        seconds += time.perf_counter() - started
    estimate(model, files, EVAL_BATCHES)
    return model, files, characters, seconds
