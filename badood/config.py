"""Every setting of every stage, in the order of the path. A preset is a YAML file of these: complete, or built on another one that it names as `base`.

CLI help, docs and dashboard forms are made from the field descriptions.
"""

import reprlib
from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from badood.core import places
from badood.core.errors import BadConfig

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Deviation = Annotated[float, Field(gt=0, le=10)]
Params = dict[str, Any]
Shared = Literal["encode", "rebuild", "outliers", "describe", "detect", "evaluate", "calibrate", "types", "features"]
"""A stage whose rows or whose calls several workers share."""


class Settings(BaseModel):
    """Frozen, and unknown fields are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Compute(Settings):
    """Device and precision; no result's key depends on it, but on int8."""

    device: str = Field("auto", description='Torch device, or "auto": CUDA, then MPS, then CPU.')
    precision: Literal["auto", "fp32", "bf16", "int8"] = Field(
        "auto",
        description="Dtype of autocast; auto takes bf16 where the hardware gains by it; int8 is bf16 with 8-bit linear layers, on CPUs, and needs a C++ compiler.",
    )
    threads: int = Field(
        0, ge=0, le=1024, description="CPU threads; 0 leaves torch's choice. A run trains at most as many detectors at a time."
    )
    memory_gb: float = Field(2.0, gt=0, le=1024, description="What one batch of inference may take, in GB; batch sizes are cut to it.")

    @property
    def lossy(self) -> str:
        """A way of computing that changes results beyond rounding, so that keys hold it; else empty."""
        return "int8" if self.precision == "int8" else ""


class Resources(Settings):
    """What a worker of one stage takes differently."""

    memory_gb: float | None = Field(None, gt=0, le=100_000, description="Memory in GB; none = as for the others.")
    gpus: float | None = Field(None, gt=0, le=64, description="GPUs, where it computes on one; none = as for the others.")


class Cluster(Settings):
    """What a worker of the engine `ray` takes of its cluster, beside `compute.threads` CPUs; no result depends on it."""

    workers: int = Field(0, ge=0, le=100_000, description="Workers at a time, at most; 0 = as many as there is room for.")
    memory_gb: float = Field(2.0, gt=0, le=100_000, description="Memory of a worker in GB. Ray starts no more of them than fit.")
    gpus: float = Field(1.0, gt=0, le=64, description="GPUs of a worker, where it computes on one; 0.5 = two share one.")
    stages: dict[Shared, Resources] = Field({}, description="By stage: what its workers take differently.")


class Source(Settings):
    """Where images come from."""

    dataset: str = Field(description="Name of a registered data set: miniworld, cifar10, cifar100, folder, parquet, synis, ...")
    path: str | None = Field(None, description="Folder or file; relative ones start at the ID data's folder. Unused by rendered sets.")
    split: Literal["train", "test"] = Field("train", description="Which part of the data set.")
    limit: Count | None = Field(None, description="At most this many images, spread evenly over the set; none = all.")
    params: Params = Field({}, description="The data set's own arguments.")


class NamedSource(Source):
    """A source with a name for tables."""

    name: str = Field(description="Name in tables and files.")
    optional: bool = Field(False, description="Skip, with a notice, where its files are missing.")


class Data(Settings):
    """ID images, the semantic OOD set for calibration, and the OOD test sets."""

    train: Source = Field(description="ID images for training; a share of them becomes the validation set.")
    test: Source = Field(description="ID test images; they only report.")
    validation_share: float = Field(
        0.1, gt=0, lt=0.9, description="Share of the ID training images that the detector never sees. Paper sec. C.2."
    )
    validation_seed: int = Field(
        0, ge=0, description="Seed of that share's draw: with another, given weights may have seen what the run holds out."
    )
    image_size: int = Field(ge=8, le=1024, description="Height and width in px at which images are kept for the detector and the decoder.")
    auxiliary: list[NamedSource] = Field(
        description="Semantic OOD for calibration and band choice; disjoint from every test set. Paper: ImageNet-OOD."
    )
    ood: list[NamedSource] = Field(description="OOD test sets; they only report.")
    real: NamedSource | None = Field(
        None,
        description="Real images of other classes, which an experiment trains on in place of outliers: as good as outliers get. Disjoint from the "
        "auxiliary and the test images.",
    )
    grid: NamedSource | None = Field(None, description="8 semantic x 8 covariate shift levels for the heatmaps (SynIS layout).")


class Training(Settings):
    """How a network is trained; every model's section has these fields."""

    epochs: float = Field(gt=0, le=10_000, description="Passes over the training rows; fractions are allowed.")
    batch_size: int = Field(ge=2, le=65_536, description="Rows a step.")
    optimizer: Literal["adamw", "sgd"] = Field("adamw", description="Update rule; SGD has momentum 0.9 with Nesterov.")
    lr: float = Field(gt=0, le=10, description="Peak learning rate; linear warm-up, then cosine to zero.")
    warmup: Share = Field(0.05, description="Share of the steps that warm up.")
    weight_decay: float = Field(0.0, ge=0, le=1, description="Decoupled for AdamW, L2 for SGD.")
    clip: float | None = Field(None, gt=0, description="Largest gradient norm; none = not clipped.")
    ema: float | None = Field(None, ge=0, lt=1, description="Decay of the averaged weights, with RCG's warm-up; none = no average.")
    checkpoint_seconds: float = Field(120.0, gt=0, description="Seconds between checkpoints.")
    seed: int = Field(0, ge=0, description="Seed of initial weights, order and augmentation.")


class Crops(Settings):
    """The two views of MoCo-v3. Source: Chen et al. 2021; strengths are the preset's."""

    scale: tuple[Share, Share] = Field((0.2, 1.0), description="Area of a crop as a share of the image.")
    jitter: tuple[float, float, float, float] = Field((0.4, 0.4, 0.2, 0.1), description="Brightness, contrast, saturation, hue.")
    jitter_chance: Share = Field(0.8, description="Share of the views that are jittered.")
    gray_chance: Share = Field(0.2, description="Share of the views that lose colour.")
    blur_chance: Share = Field(0.1, description="Share of the views that are blurred.")


class Encoder(Training):
    """MoCo-v3: image -> z0. Paper sec. 3.1."""

    backbone: str = Field(description='timm model name, or "vit_moco_*": the published ViT.')
    backbone_params: Params = Field({}, description="Arguments for the backbone.")
    image_size: int = Field(ge=8, le=1024, description="Input height and width in px, bicubic.")
    view_size: int | None = Field(
        None,
        ge=8,
        description="Side of the training views in px; none = image_size. Things look larger in smaller views, and less time goes by: "
        "Touvron et al. 2019.",
    )
    hidden: Count = Field(4096, description="Width of the projection and prediction heads.")
    dim: Count = Field(256, description="Length of z0.")
    begin_with: str | None = Field(
        None, description="Weights file of a detector whose backbone the encoder's starts from: z0 then knows the classes. none = random."
    )
    weights: str | None = Field(None, description="Weights file; none = encoder.safetensors in the preset's weights folder.")
    temperature: float = Field(0.2, gt=0, description="Of InfoNCE.")
    momentum: float = Field(0.99, ge=0, le=1, description="Of the momentum encoder at the start; cosine to 1.")
    crops: Crops = Field(default_factory=Crops, description="The two views.")


class RDM(Training):
    """Representation diffusion model. Paper sec. 3.2; RCG."""

    width: Count = Field(1536, description="Hidden width.")
    blocks: Count = Field(12, description="Residual blocks.")
    time_width: Count = Field(256, description="Width of the first time-embedding layer.")
    classes: int = Field(0, ge=0, description="Number of classes for the conditional model; 0 = unconditional, the paper's default.")
    context_width: Count = Field(512, description="Length of a class embedding of the conditional model.")
    weights: str | None = Field(None, description="Weights file; none = rdm.safetensors in the preset's weights folder.")


class Synthesise(Settings):
    """z0 -> outlier embeddings. Paper sec. 3.2."""

    method: str = Field("minority", description="Registered synthesiser: minority, gaussian, ...")
    count: Count = Field(description="Outliers in all, spread evenly over scales and anchors' classes; as many fewer as that takes.")
    scales: list[Annotated[float, Field(ge=0)]] = Field([0.025, 0.05, 0.075], min_length=1, description="Guidance scales. Paper sec. 4.3.")
    params: Params = Field({}, description="The synthesiser's own fields, such as start (t) and renoise (s).")
    score_renoise: Count = Field(125, le=999, description="s of the minority score that is stored with an outlier, diffusion steps.")
    score_samples: Count = Field(4, description="Noise draws over which that score is averaged.")
    batch_size: Count = Field(512, description="Embeddings a batch.")
    seed: int = Field(0, ge=0, description="With the outlier id it decides every draw.")


class Fit(Settings):
    """The check whether the models fit ID images that they were not made for, before anything is made with them."""

    accept: bool = Field(False, description="Go on with models that do not fit the ID images, or fit them clearly worse than others do.")


class Outliers(Settings):
    """Where outliers come from. A run has one source or several; every one writes the same table."""

    name: str = Field(pattern=r"^[^\s/][^/]*$", max_length=100, description="Name in tables, filters and figures.")
    source: str = Field(
        "embedded", description="Registered outlier source: embedded (a synthesiser and the decoder), imported (files), ..."
    )
    count: Count | None = Field(
        None, description="At most this many outliers; none = synthesise.count, or all that an imported source holds."
    )
    params: Params = Field({}, description="The source's own fields, such as path; of embedded: settings of synthesise that differ.")


class Tokenizer(Training):
    """VQGAN: image <-> a grid of codes. RCG's layout."""

    image_size: int = Field(ge=8, le=1024, description="Height and width in px.")
    channels: Count = Field(128, description="Base width.")
    multipliers: list[Count] = Field([1, 1, 2, 2, 4], description="Width of each level; each but the last halves the size.")
    blocks: Count = Field(2, description="Residual blocks a level.")
    groups: Count = Field(32, description="Groups of every GroupNorm; all widths are multiples of it.")
    code_dim: Count = Field(256, description="Length of a code vector.")
    codes: Count = Field(1024, description="Size of the codebook.")
    perceptual: float = Field(0.0, ge=0, description="Weight of the perceptual loss, by the encoder's features; 0 = none.")
    weights: str | None = Field(None, description="Weights file; none = tokenizer.safetensors in the preset's weights folder.")

    @property
    def side(self) -> int:
        """Codes along an image's side."""
        return self.image_size >> (len(self.multipliers) - 1)


class MAGE(Training):
    """Masked generative transformer: z0 -> codes. Paper sec. 3.3; Li et al. 2023; RCG."""

    width: Count = Field(1024, description="Encoder width.")
    depth: Count = Field(24, description="Encoder blocks.")
    heads: Count = Field(16, description="Encoder heads.")
    decoder_width: Count = Field(1024, description="Decoder width.")
    decoder_depth: Count = Field(8, description="Decoder blocks.")
    decoder_heads: Count = Field(16, description="Decoder heads.")
    dropout: Share = Field(0.1, description="In training.")
    drop_condition: Share = Field(0.1, description="Share of the training rows whose z0 is replaced, for classifier-free guidance.")
    mask_rate: tuple[Share, Share, Share] = Field(
        (0.5, 0.55, 1.0), description="Least, mean and largest share of masked tokens; truncated normal with std 0.25."
    )
    learn_output: bool = Field(
        False, description="The table of codes, which gives the logits too, learns from them as well; sooner done. RCG: as input only."
    )
    views: int = Field(
        0, ge=0, le=64, description="Random crops of each image to learn from beside the image itself. RCG draws a fresh one every step."
    )
    view_scale: tuple[Share, Share] = Field((0.2, 1.0), description="Area of such a crop as a share of the image. RCG: 0.2 to 1.")
    weights: str | None = Field(None, description="Weights file; none = mage.safetensors in the preset's weights folder.")


class Pixels(Training):
    """Class-conditional diffusion model in pixels, which the outlier sources fake_it and sona draw from. Ho et al. 2020; Ho & Salimans 2022."""

    image_size: int = Field(ge=8, le=1024, description="Height and width in px of its images; they are resized to the run's, bicubic.")
    patch: Count = Field(
        1, description="Side in px of the square that is one position of the network: cost and detail fall with it. Ho et al. 2020: 1."
    )
    channels: Count = Field(128, description="Base width of the U-Net.")
    multipliers: list[Count] = Field(
        [1, 2, 2, 2], min_length=1, description="Width of each level; each but the last halves the size, and the last has attention."
    )
    blocks: Count = Field(2, description="Residual blocks a level.")
    groups: Count = Field(32, description="Groups of every GroupNorm; all widths are multiples of it.")
    drop_condition: Share = Field(0.1, description="Share of the training rows without class, for classifier-free guidance.")
    early: Share = Field(
        0.3, description="Share of the training after which its weights are kept a second time: those that fake_it samples with."
    )
    weights: str | None = Field(None, description="Weights file; none = pixels.safetensors in the preset's weights folder.")


class _OfLatents(Training):
    """Diffusion model of the tokenizer's latents under z0, in MAGE's place."""

    drop_condition: Share = Field(0.1, description="Share of the training rows whose z0 is replaced, for classifier-free guidance.")


class DiT(_OfLatents):
    """Diffusion transformer: z0 -> the tokenizer's latents. Paper Fig. 4b; Peebles & Xie 2023."""

    patch: Count = Field(1, description="Side of the square of latents that is one token.")
    width: Count = Field(384, description="Of the blocks.")
    depth: Count = Field(12, description="Blocks.")
    heads: Count = Field(6, description="Attention heads a block.")
    weights: str | None = Field(None, description="Weights file; none = dit.safetensors in the preset's weights folder.")


class LDM(_OfLatents):
    """Latent diffusion model, a U-Net: z0 -> the tokenizer's latents. Paper Fig. 4b; Rombach et al. 2022."""

    channels: Count = Field(128, description="Base width of the U-Net.")
    multipliers: list[Count] = Field(
        [1, 2, 2], min_length=1, description="Width of each level; each but the last halves the size, and the last has attention."
    )
    blocks: Count = Field(2, description="Residual blocks a level.")
    groups: Count = Field(32, description="Groups of every GroupNorm; all widths are multiples of it.")
    weights: str | None = Field(None, description="Weights file; none = ldm.safetensors in the preset's weights folder.")


class Decode(Settings):
    """Outlier embeddings -> images. Paper sec. 3.3."""

    generator: Literal["mage", "dit", "ldm"] = Field("mage", description="What turns z0 into the tokenizer's codes. Paper Fig. 4b.")
    steps: Count = Field(20, description="Steps of parallel decoding (MAGE), or of DDIM.")
    guidance: float = Field(
        3.0, ge=0, description="Classifier-free guidance: of MAGE at the last step, growing linearly (RCG: cfg); of DiT and LDM at all."
    )
    temperature: float = Field(6.0, ge=0, description="Choice temperature. RCG: 6.0 for B, 11.0 for L.")
    code_temperature: float = Field(1.0, gt=0, description="Divides the logits from which codes are drawn. RCG: 1.")
    spare_masked: bool = Field(
        False, description="Keep masked tokens from MAGE's encoder as in its training: faster; the original shows it all of them."
    )
    draws: Count = Field(
        1, description="Decodings of an embedding at most; the one that the encoder places nearest to the embedding is kept. 1 = paper."
    )
    near: float = Field(1.0, ge=-1, le=1, description="Cosine of an embedding and its decoding's own from which on none is drawn again.")
    batch_size: Count = Field(128, description="Images a batch; cut to compute.memory_gb.")
    seed: int = Field(0, ge=0, description="With the outlier id it decides every draw.")


class Detector(Training):
    """Energy-regularised classifier. Paper sec. 3.4."""

    mode: Literal["scratch", "tuned", "as-is"] = Field(
        "scratch",
        description="scratch: random weights, trained as in the paper; tuned: the given weights, trained a little further with ID images and "
        "outliers; as-is: the given weights, never trained.",
    )
    weights: str | None = Field(
        None,
        description="Given weights, for tuned and as-is: a file, a folder as timm pushes it to a hub, or a name to fetch: "
        "timm:resnet18.a1_in1k, hf_hub:owner/name, torchvision:resnet50.",
    )
    expected_accuracy: Share | None = Field(
        None,
        description="ID accuracy of the given weights; a run in which they stay 0.05 or more below stops. none = it stops near chance.",
    )
    backbone: str = Field(
        "resnet34",
        description="timm model name, or one of resnet20-cifar, wideresnet40_2, openood/resnet18_32x32, torchvision/resnet50, ...; "
        "auto = network and input size that the given weights have.",
    )
    backbone_params: Params = Field({}, description="Arguments for the backbone.")
    image_size: int = Field(ge=8, le=1024, description="Input height and width in px; other images are resized.")
    mean: tuple[float, float, float] | None = Field(
        None, description="What normalisation subtracts from RGB in [0, 1]; none = as the given weights say, else ImageNet's."
    )
    std: tuple[Deviation, Deviation, Deviation] | None = Field(
        None, description="What normalisation divides RGB by; none = as the given weights say, else ImageNet's."
    )
    mirrored: bool = Field(
        False,
        description="Features are the mean of those of an image and of its mirror image, but in training: better named and scored, at twice the time.",
    )
    tuned_epochs: float = Field(
        1.0, gt=0, le=1000, description="Passes over the ID images when given weights are tuned, in place of epochs."
    )
    tuned_lr: float = Field(
        0.001, gt=0, le=10, description="Peak learning rate when given weights are tuned, in place of lr. Liu et al. 2020."
    )
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="Of the cross-entropy on ID images; 0 = paper.")
    beta: float = Field(2.0, ge=0, le=1000, description="Weight of the uncertainty loss. Paper eq. 5.")
    outlier_share: float = Field(1.0, gt=0, le=8, description="Outliers a step, per ID image of the batch.")
    rebuilt_share: Share = Field(
        0.0,
        description="Share of the ID images that are the tokenizer's reconstruction of themselves, drawn anew at each step, so that the "
        "decoder's look alone marks no outlier; 0 = paper.",
    )
    phi: Literal["monotone", "mlp"] = Field("monotone", description="phi of eq. 4: increasing by construction, or the paper's plain MLP.")
    phi_hidden: Count = Field(32, description="Hidden units of phi.")
    head_damping: float = Field(
        0.1,
        gt=0,
        le=100,
        description="Of a head-mode retrain, and of the Hessian of harm: how strongly the head is held near that of the first detector.",
    )


class Calibrate(Settings):
    """Raw score -> id_confidence. Paper sec. 3.5."""

    method: str = Field("beta", description="Registered calibrator.")
    score: str | Params = Field(
        "energy",
        description="Registered scorer whose anomaly is calibrated: energy (paper eq. 6), phi, knn, ..., or {name: knn, k: 10}; auto = that of "
        "energy and evaluate.scorers which ranks ID validation against the auxiliary set best under the first detector.",
    )


class Filter(Settings):
    """Which outliers the detector is retrained on. Paper Table 2."""

    strategy: str = Field(
        "band", description="band, quantile, auto, all, random, high, mid, low, q-mid, minority, least-harm, dos, outlier-gradient."
    )
    lo: Share = Field(0.3, description="Lowest value kept, inclusive: id_confidence for band, ID quantile for quantile.")
    hi: Share = Field(0.5, description="Highest value kept, inclusive.")
    count: Count | None = Field(
        None,
        description="At most so many are kept, of a band at random; none = all of the band, and as many for those that take the best of all: "
        "random, minority, least-harm, dos, outlier-gradient.",
    )
    seed: int = Field(0, ge=0, description="Of what is drawn at random.")
    sources: list[str] = Field([], description="Only outliers of these sources; empty = of all.")
    max_harm: float | None = Field(None, description="Only outliers of at most this harm, in millionths of AUROC; none = of any.")
    ids: list[int] | None = Field(None, description="Only among these outlier_id: a selection by eye, type or verdict; none = all.")
    without: list[int] = Field([], description="These outlier_id take no part, as those that somebody rejected.")


class Evaluate(Settings):
    """Tables and heatmaps. Paper Tables 1 and 2, Fig. 5."""

    filters: list[str] = Field(["all", "random", "high", "mid", "low", "q-mid", "auto"], description="Rows of the filter table.")
    by_source: bool = Field(False, description="With several sources of outliers, each filter also on the outliers of each source alone.")
    scorers: list[str | Params] = Field(
        ["msp", "energy", "knn", "mahalanobis", "gradnorm", "vim", "rmd"],
        description="Baseline scorers, beside ours; {name: knn, k: 10} sets a scorer's own parameters.",
    )
    harm_subsets: int = Field(
        24,
        ge=4,
        le=10_000,
        description="Random halves of the outliers on which the head is retrained, to check whether harm foretells anything.",
    )
    fit_images: Count = Field(10_000, description="ID images that baseline scorers are fitted on, at most; evenly spread over the set.")


class CLIP(Training):
    """Zero-shot types OOD-I/II/III. Paper sec. 4.3, J.2."""

    model: str | Params = Field(description="open_clip model name, or a whole model config as open_clip's JSON files have it.")
    vocabulary: list[str] = Field([], description="Foreign class names beside the ID classes.")
    templates: list[str] = Field(["a photo of a {}."], min_length=1, description="Prompts; their embeddings are averaged.")
    styles: NamedSource | None = Field(
        None,
        description="Labelled images in other styles than the training images, by which CLIP's temperature and tau are set; none, or of classes "
        "that CLIP does not choose from = ID validation images, of which a small model is surer than of anything else.",
    )
    tau: Share | None = Field(
        None, description="Least probability to be recognised; none = what `recognised` of the rightly named of those images reach."
    )
    recognised: float = Field(0.95, gt=0, lt=1, description="Share of the rightly named that count as recognised when tau is chosen.")
    weights: str | None = Field(None, description="Weights file or open_clip tag; none = clip.safetensors in the preset's weights folder.")
    foreign: list[NamedSource] = Field(
        [], description="Further images to train the small model on: of the foreign classes, or of any class in other styles."
    )


class Config(Settings):
    """A whole run."""

    preset: str = Field(description="Name of the preset this came from.")
    seed: int = Field(0, ge=0, description="Seed of the splits; stages add their own.")
    weights: str = Field(description="Folder of the preset's weights; relative ones start at the checkout.")
    compute: Compute = Field(default_factory=Compute)
    cluster: Cluster = Field(default_factory=Cluster)
    data: Data
    encoder: Encoder
    rdm: RDM
    fit: Fit = Field(default_factory=Fit)
    outliers: list[Outliers] = Field(
        [Outliers(name="minority")],
        min_length=1,
        description="Sources of outliers; each is trained on, scored, typed and compared by its name.",
    )
    synthesise: Synthesise
    tokenizer: Tokenizer
    mage: MAGE
    decode: Decode
    dit: DiT | None = Field(None, description="Diffusion transformer in MAGE's place; none = the preset has none.")
    ldm: LDM | None = Field(None, description="Latent diffusion model in MAGE's place; none = the preset has none.")
    pixels: Pixels | None = Field(None, description="Diffusion model in pixels; none = the preset has none, and no source that needs it.")
    clip: CLIP
    detector: Detector
    calibrate: Calibrate = Field(default_factory=Calibrate)
    filter: Filter = Field(default_factory=Filter)
    evaluate: Evaluate = Field(default_factory=Evaluate)


_MOST_VALUES = 100_000
"""Of a preset, aliases counted as often as they stand there."""

_DEEPEST = 100

PRESETS = Path(__file__).parent / "presets"
CHECKOUT = places.TOP


def preset_names() -> list[str]:
    """Names of the presets that come with the library."""
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


def load_config(preset: str, overrides: Sequence[str] = (), data: Path | None = None, dataset: str | None = None) -> Config:
    """The settings of a preset with overrides.

    Args:
        preset: a name from `preset_names`, or the path of a YAML file; its `base` names a preset from which it takes what it does not set.
        overrides: "section.field=value", the value as YAML; "data.ood.0.limit=100" reaches into lists.
        data: folder or file of the ID data; replaces the paths of `data.train` and `data.test`.
        dataset: name of the data set that reads `data`, such as folder or parquet; none = the preset's own. With another one, a preset
            whose detector starts from a classifier of its own classes starts from random weights instead.

    Raises:
        BadConfig: no such preset; an unknown or out-of-range field, with what is allowed; `dataset` without `data`.
    """
    content = _read(preset)
    if dataset is not None and data is None:
        raise BadConfig(f"data set {dataset!r} reads images that you have: give their folder or file with --data.")
    if data is not None:
        if not all(isinstance(content.get("data"), dict) and isinstance(content["data"].get(part), dict) for part in ("train", "test")):
            raise BadConfig(
                f"{preset} has no data.train and data.test for --data to fill; name a whole preset as its `base`, such as miniworld."
            )
        # absolute, so that a job that starts elsewhere finds it and the same images continue the same run
        place = str(data.expanduser().resolve())
        own = content["data"]["train"].get("dataset")
        if dataset not in (None, own) and isinstance(detector := content.get("detector"), dict):
            # a classifier of the preset's own classes names no others
            content["detector"] = detector | {"mode": "scratch", "weights": None}
        for part in ("train", "test"):
            source = content["data"][part] if dataset is None else {"dataset": dataset, "split": part}
            content["data"][part] = source | {"path": place}
    for override in overrides:
        _override(content, override)
    _anchor_paths(content, Path.cwd(), base=True)
    return validate(content, source=preset)


def _anchor_paths(content: dict[str, Any], folder: Path, *, base: bool = False) -> None:
    """Make relative paths of ID images and imported outliers absolute, so that whoever opens the run elsewhere finds them.

    Those of weights start at the assets. What is no path yet is left for the check of settings.

    Args:
        base: also those of OOD sets where the ID images have no folder to start at.
    """
    told = content.get("data")
    data = told if isinstance(told, dict) else {}
    train, test = (data.get(part) for part in ("train", "test"))
    entries = content.get("outliers")
    imported = [entry.get("params") for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    if base and isinstance(train, dict) and train.get("path") is None:
        others = [data.get(part) for part in ("auxiliary", "ood")] + [[data.get("grid")]]
        imported += [source for part in others if isinstance(part, list) for source in part]
    for place in (train, test, *imported):
        if isinstance(place, dict) and isinstance(path := place.get("path"), str):
            place["path"] = str(folder / Path(path).expanduser())


def _read(preset: str, above: tuple[str, ...] = ()) -> dict[str, Any]:
    """The plain data of a preset, on top of that of its base."""
    path = PRESETS / f"{preset}.yaml" if preset in preset_names() else Path(preset)
    if "\0" in preset or not path.is_file():
        raise BadConfig(f"no preset {preset!r}: give one of {', '.join(preset_names())}, or the path of a YAML file.")
    try:
        content = parsed_yaml(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadConfig(f"{path} is not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise BadConfig(f"{path} is not a preset: expected sections with settings, got {reprlib.repr(content)}.")
    _anchor_paths(content, path.absolute().parent)
    base = content.pop("base", None)
    if base is None:
        return content
    if base in above:
        raise BadConfig(f"{path}: base {base!r} is built on this preset itself; name another one.")
    return _over(_read(str(base), (*above, preset)), content)


def parsed_yaml(text: str) -> Any:
    """Plain data of a YAML text.

    Raises:
        YAMLError: it is none, or it is made to fill the memory: aliases of aliases stand for any number of values.
    """
    if max(accumulate((letter in "[{") - (letter in "]}") for letter in text), default=0) > _DEEPEST:
        raise yaml.YAMLError(f"it has more than {_DEEPEST} brackets in one another")  # for which the parser takes minutes
    try:
        content = yaml.safe_load(text)
    except (ValueError, RecursionError) as error:  # dates that are none, brackets in brackets
        raise yaml.YAMLError(str(error)) from error
    waiting, seen = [content], 0
    while waiting:
        value = waiting.pop()
        waiting += [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list | tuple | set) else []
        seen += 1
        if seen > _MOST_VALUES:
            raise yaml.YAMLError(f"it holds more than {_MOST_VALUES:,} values, or one that holds itself")
        if isinstance(value, int) and abs(value) >= 2**63:
            raise yaml.YAMLError(f"it holds a number of {value.bit_length():,} bits; 64 are the most")
    return content


def _over(below: dict[str, Any], upon: dict[str, Any]) -> dict[str, Any]:
    """Nested plain data with the entries of `upon` in the place of those below; lists are taken whole, and {} empties."""
    if "dataset" in upon and upon["dataset"] != below.get("dataset"):  # what belongs to another data set means nothing to this one
        below = {key: value for key, value in below.items() if key in ("split", "name", "optional")}
    both = {key: _over(below[key], new) for key, new in upon.items() if isinstance(new, dict) and new and isinstance(below.get(key), dict)}
    return below | upon | both


def validate(content: Mapping[str, Any], source: str = "config") -> Config:
    """Check plain data against `Config`; errors name field, value and what is allowed."""
    try:
        return Config.model_validate(content)
    except ValidationError as error:
        lines = [f"  {'.'.join(map(str, item['loc']))} = {reprlib.repr(item['input'])}: {_allowed(item)}" for item in error.errors()]
        raise BadConfig(f"{source} has settings that do not fit:\n" + "\n".join(lines)) from error


def _allowed(item: Any) -> str:
    """What a refused field would take."""
    if item["type"] != "extra_forbidden":
        return str(item["msg"])
    model: Any = Config
    for name in item["loc"][:-1]:
        annotation = model.model_fields[name].annotation if isinstance(name, str) and name in getattr(model, "model_fields", {}) else None
        model = annotation if isinstance(annotation, type) and issubclass(annotation, Settings) else model
    return f"unknown field; allowed here: {', '.join(model.model_fields)}"


def parsed_overrides(overrides: Sequence[str]) -> dict[str, Any]:
    """Fields of one section as "field=value", the value as YAML.

    Raises:
        BadConfig: one has no "=", or its value is not YAML.
    """
    content: dict[str, Any] = {}
    for override in overrides:
        _override(content, override)
    return content


def _override(content: dict[str, Any], override: str) -> None:
    """Put one "a.b.c=value" into nested plain data."""
    name, equals, value = override.partition("=")
    if not equals:
        raise BadConfig(f"override {override!r} has no '='; write section.field=value, such as detector.epochs=5.")
    *parents, last = name.split(".")
    place: Any = content
    try:
        value = parsed_yaml(value)
    except yaml.YAMLError as error:
        raise BadConfig(f"override {override!r}: {value!r} is not YAML; write a list as --set '{name}=[one, two]', in quotes.") from error
    try:
        for parent in parents:
            place = place[int(parent)] if isinstance(place, list) else place.setdefault(parent, {})
        place[int(last) if isinstance(place, list) else last] = value
    except (TypeError, ValueError, IndexError, AttributeError) as error:
        raise BadConfig(f"override {override!r}: {name} is not a setting; see `python -m badood run --help`.") from error


def weights_path(cfg: Config, model: Literal["encoder", "rdm", "tokenizer", "mage", "clip", "dit", "ldm", "pixels", "detector"]) -> Path:
    """Where the weights of a model lie.

    Raises:
        BadConfig: the preset has no such model.
    """
    section = getattr(cfg, model)
    if section is None:
        raise BadConfig(
            f"preset {cfg.preset} has no section {model}: give one in a preset of your own (--preset FILE.yaml, `base: {cfg.preset}`); "
            "presets/cifar10.yaml has one to begin with."
        )
    own: str | None = section.weights
    path = Path(own).expanduser() if own else Path(cfg.weights).expanduser() / f"{model}.safetensors"
    return places.placed(path)
