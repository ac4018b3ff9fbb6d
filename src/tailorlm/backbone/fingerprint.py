"""Whether two loaded models are the same, wherever they came from: a digest of their weights.

Knows nothing of adapters. Source: design section 3 (another base is refused with expected and found).
"""

import hashlib

import torch

from tailorlm.backbone.model import Backbone

SAMPLED = 16


@torch.no_grad()
def fingerprint(backbone: Backbone) -> str:
    """A digest of every weight's name, shape and some numbers (as bfloat16), and of the chat template.

    The same for a model loaded in float32 and in bfloat16.
    """
    found = hashlib.sha256(f"{len(backbone.tokenizer)}{backbone.tokenizer.chat_template}".encode())
    for name, weight in sorted(backbone.model.named_parameters()):
        places = torch.linspace(0, weight.numel() - 1, SAMPLED, dtype=torch.float64).long().to(weight.device)
        sample = weight.flatten()[places].to(torch.bfloat16).view(torch.int16).cpu()
        found.update(f"{name}{tuple(weight.shape)}{sample.tolist()}".encode())
    return found.hexdigest()[:32]
