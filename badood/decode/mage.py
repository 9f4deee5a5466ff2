"""MAGE: a masked transformer that turns a representation into the codes of an image.

RCG's MaskedGenerativeEncoderViT with its own state-dict names for the parts that are used. Quirks that are kept: the projected
representation takes slot 0 without position and norm; the decoder fills masked positions with the output of slot 0.
Source: Li et al. 2023 (MAGE); Li, Katabi, He 2024 (RCG).
"""

import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import torch
from timm.models.vision_transformer import Block
from torch import Tensor, nn
from torch.nn import functional as F

from badood import config
from badood.core import weights
from badood.core.compute import Compute
from badood.core.training import Loss
from badood.decode.published import read_part

LayerNorm = partial(nn.LayerNorm, eps=1e-6)


class TokenEmbedding(nn.Module):
    """Word plus position, normalised."""

    def __init__(self, vocabulary: int, width: int, positions: int, dropout: float) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(vocabulary, width)
        self.position_embeddings = nn.Embedding(positions, width)
        self.LayerNorm = LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, ids: Tensor, first: int = 0) -> Tensor:
        """(N, L) int64 ids of the positions from `first` on -> (N, L, width)."""
        positions = self.position_embeddings.weight[first : first + ids.shape[1]]
        return self.dropout(self.LayerNorm(self.word_embeddings(ids) + positions))


class Head(nn.Module):
    """Hidden state -> logits over the first rows of the word table."""

    def __init__(self, inputs: int, width: int, vocabulary: int) -> None:
        super().__init__()
        self.fc = nn.Linear(inputs, width)
        self.ln = nn.LayerNorm(width)
        self.bias = nn.Parameter(torch.zeros(1, 1, vocabulary))

    def forward(self, hidden: Tensor, words: Tensor) -> Tensor:
        """(..., inputs) and a table (K, width) -> (..., K)."""
        hidden = F.gelu(self.fc(hidden))
        # in bfloat16 a logit of 10 would be rounded to steps of 0.06, more than what parts the likeliest codes
        with torch.autocast(hidden.device.type, enabled=False):
            return self.ln(hidden.float()) @ words.float().T + self.bias[0, 0, : len(words)]


class MAGE(nn.Module):
    """Encoder and decoder over a grid of codes, conditioned on a representation.

    The vocabulary is RCG's: the codes, 1000 class labels of which one fills slot 0, and the mask token.

    Args:
        cfg: widths, depths, heads, dropout.
        codes: size of the codebook. side: height and width of the grid. dim: length of the representation.
    """

    def __init__(self, cfg: config.MAGE, *, codes: int, side: int, dim: int) -> None:
        super().__init__()
        self.cfg = cfg
        self.codes, self.length = codes, side * side
        vocabulary = codes + 1001
        self.mask_id, self.class_id = vocabulary - 1, codes + 76
        self.token_emb = TokenEmbedding(vocabulary, cfg.width, self.length + 1, cfg.dropout)
        self.latent_prior_proj = nn.Linear(dim, cfg.width)
        self.fake_latent = nn.Parameter(torch.zeros(1, dim))
        self.blocks = _blocks(cfg.width, cfg.heads, cfg.depth, cfg.dropout)
        self.norm = LayerNorm(cfg.width)
        self.decoder_embed = nn.Linear(cfg.width, cfg.decoder_width)
        self.decoder_pos_embed_learned = nn.Parameter(torch.zeros(1, self.length + 1, cfg.decoder_width))
        self.decoder_blocks = _blocks(cfg.decoder_width, cfg.decoder_heads, cfg.decoder_depth, cfg.dropout)
        self.decoder_norm = LayerNorm(cfg.decoder_width)
        self.mlm_layer = Head(cfg.decoder_width, cfg.width, vocabulary)
        self.apply(_initialise)
        for table in (self.fake_latent, self.decoder_pos_embed_learned):
            nn.init.normal_(table, std=0.02)

    @classmethod
    def of(cls, cfg: config.MAGE, *, codes: int, side: int, dim: int) -> "MAGE":
        """The network of a preset, with random weights."""
        return cls(cfg, codes=codes, side=side, dim=dim)

    def embed(self, ids: Tensor, condition: Tensor) -> Tensor:
        """(N, L) int64 ids, (N, dim) representations -> (N, 1 + L, width) encoder input."""
        return torch.cat([self.latent_prior_proj(condition)[:, None], self.token_emb(ids, first=1)], dim=1)

    def encode(self, embedded: Tensor) -> Tensor:
        """(N, 1 + K, width) -> the same shape, normalised."""
        return self.norm(self.blocks(embedded))

    def decode(self, latent: Tensor, masked: Tensor, kept: Tensor | None = None) -> Tensor:
        """Hidden state of slot 0 and of every position.

        Args:
            latent: (N, 1 + K, width) from `encode`.
            masked: (N, L) bool, positions that take the output of slot 0.
            kept: (N, K) int64 positions that the encoder saw; none = all, in order.

        Returns:
            (N, 1 + L, decoder_width).
        """
        slot, seen = self.decoder_embed(latent).split([1, latent.shape[1] - 1], dim=1)
        if kept is not None:
            seen = slot.expand(-1, self.length, -1).scatter(1, kept[..., None].expand_as(seen), seen)
        full = torch.cat([slot, torch.where(masked[..., None], slot, seen)], dim=1)
        return self.decoder_norm(self.decoder_blocks(full + self.decoder_pos_embed_learned))

    def logits(self, hidden: Tensor) -> Tensor:
        """(..., decoder_width) -> (..., codes) float32."""
        table = self.token_emb.word_embeddings.weight[: self.codes]
        return self.mlm_layer(hidden, table if self.cfg.learn_output else table.detach()).float()

    def forward(self, ids: Tensor, condition: Tensor) -> Tensor:
        """(N, L) int64 ids where `mask_id` is unknown, (N, dim) representations -> (N, L, codes) logits."""
        return self.logits(self.decode(self.encode(self.embed(ids, condition)), ids == self.mask_id)[:, 1:])


def _blocks(width: int, heads: int, depth: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        *[Block(width, heads, qkv_bias=True, proj_drop=dropout, attn_drop=dropout, norm_layer=LayerNorm) for _ in range(depth)]
    )


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)


def mage_loss(mage: MAGE, codes: Tensor, z0: Tensor, compute: Compute) -> Loss:
    """What `core.training.fit` minimises: cross-entropy, smoothed by 0.1, of the masked codes.

    Args:
        codes: (N, L) int64 codes of the training images. z0: (N, dim) their representations.
    """
    least, mean, most = mage.cfg.mask_rate

    def loss(rows: Tensor, done: float) -> Tensor:
        target, condition = compute.put(codes[rows]), compute.put(z0[rows])
        dropped = torch.rand(len(rows), 1, device=target.device) < mage.cfg.drop_condition
        condition = torch.where(dropped, mage.fake_latent, condition)
        rate = truncated_normal(torch.rand(()).item(), mean=mean, std=0.25, least=least, most=most)
        kept, masked = masks(torch.rand(target.shape, device=target.device), drop_rate=least, mask_rate=rate)
        hidden = masked_hidden(mage, target, condition, kept, masked)
        return F.cross_entropy(mage.logits(hidden[masked]), target[masked], label_smoothing=0.1)

    return loss


def masked_hidden(mage: MAGE, target: Tensor, condition: Tensor, kept: Tensor, masked: Tensor) -> Tensor:
    """Hidden state of the decoder in training, where the encoder sees a part of the positions only.

    Args:
        target: (N, L) int64 codes. condition: (N, dim).
        kept: (N, K) int64 positions that the encoder sees. masked: (N, L) bool, positions to predict.

    Returns:
        (N, L, decoder_width).
    """
    embedded = mage.embed(target.masked_fill(masked, mage.mask_id), condition)
    slots = F.pad(kept + 1, (1, 0))  # slot 0 is always seen
    latent = mage.encode(embedded.gather(1, slots[..., None].expand(-1, -1, embedded.shape[2])))
    return mage.decode(latent, masked, kept)[:, 1:]


def masks(noise: Tensor, *, drop_rate: float, mask_rate: float) -> tuple[Tensor, Tensor]:
    """Which codes the encoder does not see at all, and which are to be predicted.

    Args:
        noise: (N, L) uniform. drop_rate <= mask_rate: shares of the positions, rounded up.

    Returns:
        (N, K) int64 positions that are kept for the encoder, and (N, L) bool that is true where masked; dropped positions are masked.
    """
    length = noise.shape[1]
    order = noise.argsort(dim=1)
    masked = torch.zeros_like(noise, dtype=torch.bool).scatter(1, order[:, : math.ceil(length * mask_rate)], True)
    return order[:, math.ceil(length * drop_rate) :].sort(dim=1).values, masked


def truncated_normal(uniform: float, *, mean: float, std: float, least: float, most: float) -> float:
    """A draw from the normal distribution cut to [least, most], by its inverse CDF at `uniform` in [0, 1)."""
    ends = torch.special.ndtr(torch.tensor([(least - mean) / std, (most - mean) / std], dtype=torch.float64))
    value = mean + std * torch.special.ndtri(torch.lerp(ends[0], ends[1], uniform)).item()
    return min(max(value, least), most)


def load_mage(path: Path, cfg: config.MAGE, *, codes: int, side: int, dim: int) -> MAGE:
    """MAGE with weights of ours (safetensors) or of RCG's published `.pth`.

    Raises:
        BadWeights: the file is missing, unsafe, or of another architecture.
    """
    mage = MAGE.of(cfg, codes=codes, side=side, dim=dim)
    if path.suffix == ".safetensors":
        weights.load_strict(mage, weights.read(path), path)
        return mage.eval()
    load_published(mage, read_part(path, ""), path)
    return mage.eval()


def load_published(mage: MAGE, state: Mapping[str, Tensor], source: Path) -> None:
    """Copy the "model" entry of a checkpoint of RCG's main_mage.py into `mage`.

    Raises:
        BadWeights: a tensor is missing, extra or mis-shaped, one of those that nothing reads included.
    """
    # the encoder of z0 and the VQGAN lie in the same file
    state = {name: tensor for name, tensor in state.items() if not name.startswith(("pretrained_encoder.", "vqgan."))}
    idle = idle_tensors(mage)
    weights.check(state, mage.state_dict() | idle, source, "MAGE")
    weights.load_strict(mage, {name: tensor for name, tensor in state.items() if name not in idle}, source)


def idle_tensors(mage: MAGE) -> dict[str, Tensor]:
    """Tensors of the published file that no computation reads, with their shapes; on no device, so they take no memory."""
    width, decoder_width, slots, patch = mage.cfg.width, mage.cfg.decoder_width, mage.length + 1, 16
    shapes = {
        "cls_token": (1, 1, width),
        "pos_embed": (1, slots, width),
        "patch_embed.proj.weight": (width, 3, patch, patch),
        "patch_embed.proj.bias": (width,),
        "token_emb.position_ids": (1, slots),
        "mask_token": (1, 1, decoder_width),
        "decoder_pos_embed": (1, slots, decoder_width),
        "decoder_pred.weight": (3 * patch * patch, decoder_width),
        "decoder_pred.bias": (3 * patch * patch,),
    }
    return {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
