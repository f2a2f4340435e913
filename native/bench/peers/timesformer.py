"""TimeSformer (Bertasius et al., 2021) in PyTorch: the network of Ata's mode `divided`, with scaled dot product
attention, and its training step. Whatever compares Ata with PyTorch compares it with this."""

import dataclasses
import json

import torch
from torch import nn
from torch.nn import functional


@dataclasses.dataclass
class Config:
    """Fields of a checkpoint's configuration (docs/formats.md)."""
    image_size: int = 224
    patch_size: int = 16
    dim: int = 768
    depth: int = 12
    heads: int = 12
    frames: int = 8
    classes: int = 400

    def metadata(self):
        """Of a safetensors file with the weights, which Ata loads."""
        return {"config": json.dumps({"architecture": "vit", **dataclasses.asdict(self), "mlp_ratio": 4,
                                      "temporal": "divided", "alignment": "exact"})}

    @classmethod
    def from_metadata(cls, metadata):
        fields = json.loads(metadata["config"])
        for name, value in (("architecture", "vit"), ("mlp_ratio", 4), ("activation", "gelu"), ("norm_eps", 1e-6)):
            if fields.get(name, value) != value:
                raise ValueError(f"the checkpoint's {name} is {fields[name]}; this network's is {value}")
        return cls(**{field.name: fields[field.name] for field in dataclasses.fields(cls)})


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.heads = config.heads
        self.qkv = nn.Linear(config.dim, 3 * config.dim)
        self.proj = nn.Linear(config.dim, config.dim)

    def forward(self, x):  # [sequences, length, D]
        sequences, length, dim = x.shape
        qkv = self.qkv(x).view(sequences, length, 3, self.heads, dim // self.heads).permute(2, 0, 3, 1, 4)
        y = functional.scaled_dot_product_attention(qkv[0], qkv[1], qkv[2])
        return self.proj(y.transpose(1, 2).reshape(sequences, length, dim))


class Mlp(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.fc1 = nn.Linear(config.dim, 4 * config.dim)
        self.fc2 = nn.Linear(4 * config.dim, config.dim)

    def forward(self, x):
        return self.fc2(functional.gelu(self.fc1(x)))


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        norm = lambda: nn.LayerNorm(config.dim, eps=1e-6)
        self.temporal_norm1, self.temporal_attn = norm(), Attention(config)
        self.temporal_fc = nn.Linear(config.dim, config.dim)
        self.norm1, self.attn = norm(), Attention(config)
        self.norm2, self.mlp = norm(), Mlp(config)

    def forward(self, c, x):  # class tokens [B, 1, D], patches [B, T, N, D]
        batch, frames, patches, dim = x.shape
        over_time = x.transpose(1, 2).reshape(batch * patches, frames, dim)
        over_time = self.temporal_fc(self.temporal_attn(self.temporal_norm1(over_time)))
        x = x + over_time.view(batch, patches, frames, dim).transpose(1, 2)
        frame = torch.cat([c[:, None].expand(batch, frames, 1, dim), x], 2).reshape(batch * frames, 1 + patches, dim)
        frame = self.attn(self.norm1(frame)).view(batch, frames, 1 + patches, dim)
        c, x = c + frame[:, :, 0].mean(1, keepdim=True), x + frame[:, :, 1:]
        tokens = torch.cat([c, x.reshape(batch, frames * patches, dim)], 1)
        tokens = tokens + self.mlp(self.norm2(tokens))
        return tokens[:, :1], tokens[:, 1:].view(batch, frames, patches, dim)


class TimeSformer(nn.Module):
    """Parameters have the names of TimeSformer's checkpoints, which are those of Ata's."""

    def __init__(self, config):
        super().__init__()
        patches = (config.image_size // config.patch_size) ** 2
        self.cls_token = nn.Parameter(torch.randn(1, 1, config.dim) * 0.5)
        self.pos_embed = nn.Parameter(torch.randn(1, 1 + patches, config.dim) * 0.5)
        self.time_embed = nn.Parameter(torch.randn(1, config.frames, config.dim) * 0.5)
        self.patch_embed = nn.ModuleDict({
            "proj": nn.Conv2d(3, config.dim, config.patch_size, config.patch_size)})
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.dim, eps=1e-6)
        self.head = nn.Linear(config.dim, config.classes)

    def forward(self, clips):  # [B, 3, T, H, W]
        batch, _, frames, height, width = clips.shape
        images = clips.transpose(1, 2).reshape(batch * frames, 3, height, width)
        x = self.patch_embed["proj"](images).flatten(2).transpose(1, 2)
        x = x + self.pos_embed[:, 1:]
        x = x.view(batch, frames, x.shape[1], x.shape[2]) + self.time_embed[:, :, None]
        c = (self.cls_token + self.pos_embed[:, :1]).expand(batch, 1, -1)
        for block in self.blocks:
            c, x = block(c, x)
        return self.head(self.norm(c[:, 0]))


def adamw(network, rate, fused):
    """As Ata's trainer groups parameters: matrices decay, biases, norms and embeddings do not."""
    embeddings = {"cls_token", "pos_embed", "time_embed"}
    matrices = [p for n, p in network.named_parameters() if p.ndim > 1 and n not in embeddings]
    chosen = {id(p) for p in matrices}
    rest = [p for p in network.parameters() if id(p) not in chosen]
    return torch.optim.AdamW([{"params": matrices, "weight_decay": 0.05}, {"params": rest, "weight_decay": 0.0}],
                             lr=rate, betas=(0.9, 0.999), eps=1e-8, fused=fused)


def train_step(call, network, optimizer, clips, labels, precision):
    """Returns (loss, norm of the gradient). `call` is the network, or what torch.compile made of it; bf16 is
    autocast over weights in f32."""
    with torch.autocast(clips.device.type, torch.bfloat16, enabled=precision == "bf16"):
        loss = functional.cross_entropy(call(clips).float(), labels)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    norm = nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimizer.step()
    return loss.item(), norm.item()
