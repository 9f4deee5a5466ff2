"""Dream-OOD in pixels: outlier tokens between the classes, drawn by Stable Diffusion."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import HfHubHTTPError
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, NonNegativeFloat, PositiveInt
from pydantic.dataclasses import dataclass
from torch import Tensor
from torch.nn import functional as F

from badood.core import weights
from badood.core.artefacts import digest
from badood.core.errors import BadInput
from badood.core.noise import Noise
from badood.decode.pixels import to_uint8
from badood.outliers.embedded import anchors
from badood.outliers.generated import Generated, drawn
from badood.outliers.source import Draw, Given, Group, Need, outlier_source
from badood.synthesise.methods.dream_ood import DreamOOD

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

PROMPT = "a high-quality photo of a"
"""What stands before the class's token."""

INDEX = "model_index.json"
"""What a pipeline of diffusers has in its folder, and what says of which parts it is made."""


@outlier_source("stable_diffusion")
@dataclass(config=ConfigDict(extra="forbid"), kw_only=True)
class StableDiffusion(Generated):
    """Outlier tokens round the sparse edge of each class, each drawn as a photo by Stable Diffusion. Source: Du et al. 2023 (Dream-OOD).

    As there, ID images are brought into the space of the text encoder's class tokens, outliers are taken there at the classes' edges by
    their k-th neighbours, and stand in the prompt in the place of the class's name. There, a ResNet-34 learns that space by contrast with
    the tokens; here a linear map of the preset's z0 is fitted to them (ridge regression), in one step. A name of several tokens is their
    mean. No safety checker looks at the images: it would black out some of them.

    Attributes:
        model: name on the Hugging Face hub, or a folder that `pipeline.save_pretrained` wrote.
        scale, neighbours, edge, tried: see the synthesiser `dream_ood`, which takes the tokens.
        guidance: classifier-free. steps: of DDIM, without randomness but for the latent that it begins with.
    """

    located: ClassVar = frozenset({"model"})
    model: str = Field(min_length=1)
    scale: NonNegativeFloat = 0.03
    neighbours: PositiveInt = 20
    edge: PositiveInt = 50
    tried: PositiveInt = 100
    guidance: float = Field(7.5, ge=1)
    steps: PositiveInt = 50

    @property
    def needs(self) -> frozenset[Need]:
        """See `OutlierSource`."""
        return frozenset({"encoder"})

    def check(self) -> None:
        """See `OutlierSource.check`."""
        lacking = [name for name in ("diffusers", "transformers") if importlib.util.find_spec(name) is None]
        if lacking:
            raise BadInput(
                f"stable_diffusion needs {' and '.join(lacking)}, which {'is' if len(lacking) == 1 else 'are'} not installed: "
                "pip install 'badood[stable-diffusion]'."
            )
        self._index()

    def fingerprint(self) -> str:
        """See `OutlierSource.fingerprint`. Of a folder's contents, or the commit on the hub."""
        folder = self._index().parent
        if self._folder is None:
            return folder.name
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        return digest(*[(str(file.relative_to(folder)), weights.fingerprint(file)) for file in files])

    def generator(self, given: Given) -> Draw:
        """See `Generated.generator`."""
        assert given.z0 is not None
        pipe = self._loaded(given)
        labels = torch.from_numpy(given.labels)
        tokens = class_tokens(pipe, given.classes)
        near = DreamOOD(scale=self.scale, neighbours=self.neighbours, edge=self.edge, tried=self.tried)
        near.fit(aligned(given.z0, tokens[labels]), labels)
        chosen = given.labels[anchors(given.labels, self.limit, self.seed)]
        side = pipe.unet.config.sample_size
        empty = encoded(pipe, None)

        def sample(rows: NDArray[np.int64]) -> Tensor:
            noise, label = Noise(self.seed, rows), torch.from_numpy(chosen[rows])
            outliers = near.at_the_edge(tokens[label], label, noise)
            made = pipe(
                prompt_embeds=encoded(pipe, outliers),
                negative_prompt_embeds=empty.expand(len(rows), -1, -1),
                latents=given.compute.put(noise.normal((pipe.unet.config.in_channels, side, side), "latent")),
                num_inference_steps=self.steps,
                guidance_scale=self.guidance,
                output_type="pt",
            )
            return to_uint8(made.images.float() * 2 - 1, given.size)

        def draw(rows: NDArray[np.int64]) -> Group:
            size = side * pipe.vae_scale_factor
            # the decoder's finest layers take the most: four float32 arrays of them
            images = drawn(given, rows, sample, 4 * 4 * pipe.vae.config.block_out_channels[0] * size**2)
            return Group(
                images,
                {
                    "class_name": np.asarray(given.classes, dtype=object)[chosen[rows]],
                    "guidance_scale": np.full(len(rows), self.scale),
                    "seed": np.full(len(rows), self.seed),
                },
            )

        return draw

    @property
    def _folder(self) -> Path | None:
        """Where the pipeline lies; none = it is one of the hub's."""
        folder = Path(self.model).expanduser()
        return folder if folder.is_dir() else None

    def _index(self) -> Path:
        """The file that lists the pipeline's parts, fetched where the pipeline is a name.

        Raises:
            BadInput: there is none.
        """
        if self._folder is not None:
            if not (self._folder / INDEX).is_file():
                raise BadInput(
                    f"stable_diffusion: folder {self._folder} holds no {INDEX}; give the one that `pipeline.save_pretrained` wrote."
                )
            return self._folder / INDEX
        try:
            return Path(hf_hub_download(self.model, INDEX))
        except (HfHubHTTPError, OSError, ValueError) as error:
            why = (weights.plain(str(error)).strip().splitlines() or [type(error).__name__])[0][:200]
            raise BadInput(
                f"stable_diffusion: {weights.plain(self.model)!r} is no folder, and no pipeline that can be fetched from the hub ({why}); check name and "
                "network, or fetch it elsewhere (`hf download NAME --local-dir FOLDER`) and give the folder as `model`."
            ) from error

    def _loaded(self, given: Given) -> "StableDiffusionPipeline":
        """The pipeline on the device, with DDIM's sampler."""
        from diffusers import DDIMScheduler, StableDiffusionPipeline

        commit = None if self._folder else self._index().parent.name
        pipe = StableDiffusionPipeline.from_pretrained(
            self._folder or self.model,
            revision=commit,
            safety_checker=None,
            requires_safety_checker=False,
            low_cpu_mem_usage=False,  # which wants one package more
        )
        pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config)
        pipe.set_progress_bar_config(disable=True)
        for part in (pipe.unet, pipe.vae, pipe.text_encoder):
            given.compute.place(part).eval().requires_grad_(False)
        return pipe


def class_tokens(pipe: "StableDiffusionPipeline", classes: Sequence[str]) -> Tensor:
    """(C, D) float32 on the CPU: what the text encoder's table has for the classes' names."""
    table = pipe.text_encoder.get_input_embeddings().weight.detach().float().cpu()
    return torch.stack([table[words(pipe, name.replace("_", " "))].mean(0) for name in classes])


def words(pipe: "StableDiffusionPipeline", text: str) -> list[int]:
    """Numbers of a text's tokens, without those for begin and end."""
    found: list[int] = pipe.tokenizer(text, add_special_tokens=False).input_ids
    return found


def aligned(z0: Tensor, goals: Tensor, damping: float = 1.0) -> Tensor:
    """ID images in the space of the tokens: the linear map of z0 that comes nearest to their goals, by ridge regression.

    Args:
        z0: (N, d) float32. goals: (N, D), the token of each image's class. damping: of the regression, in images.

    Returns:
        (N, D) float32.
    """
    z = F.pad(z0, (0, 1), value=1.0).double()
    gram = z.T @ z + damping * torch.eye(z.shape[1], dtype=z.dtype)
    return (z @ torch.linalg.solve(gram, z.T @ goals.double())).float()


def encoded(pipe: "StableDiffusionPipeline", tokens: Tensor | None) -> Tensor:
    """What the U-Net reads of prompts whose class is a token that no word has.

    Args:
        tokens: (N, D), behind the prompt; none = the empty prompt, of which there is one.

    Returns:
        (N or 1, L, D) on the device.
    """
    tokenizer, table = pipe.tokenizer, pipe.text_encoder.get_input_embeddings()
    end = tokenizer.eos_token_id
    # any token holds the place of the one that has no number
    said = [] if tokens is None else [*words(pipe, PROMPT), end]
    ids = [tokenizer.bos_token_id, *said, end]
    ids += [tokenizer.pad_token_id] * (pipe.text_encoder.config.max_position_embeddings - len(ids))
    numbers = torch.tensor([ids], device=table.weight.device).repeat(1 if tokens is None else len(tokens), 1)

    def put_in_place(_table: object, _ids: object, embedded: Tensor) -> Tensor:
        if tokens is None:
            return embedded
        embedded = embedded.clone()
        embedded[:, len(said)] = tokens.to(embedded)
        return embedded

    hook = table.register_forward_hook(put_in_place)
    try:
        read: Tensor = pipe.text_encoder(numbers)[0]
    finally:
        hook.remove()
    return read
