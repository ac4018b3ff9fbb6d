"""A prompt whose parts say what may be shortened, and its tokens through the model's chat template.

Knows nothing of tasks. Only `context`, then `body`, lose text, from the left: the instruction never does.
Source: P2P's published settings (1,024 tokens, truncated from the left); issue 2 section 2.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from tailorlm.backbone.rows import Row

Messages = list[dict[str, str]]
PLAIN_TEMPLATE = (
    "{% for m in messages %}{{ m['content'] }}{{ eos_token if m['role'] == 'assistant' else '\\n' }}{% endfor %}"
)
"""For models without a chat template: set `tokenizer.chat_template` to it, or to one of your own."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """One user turn: context + head + body + tail, joined as they are; `system` is a turn of its own."""

    body: str
    head: str = ""
    tail: str = ""
    context: str = ""
    system: str = ""

    def messages(self) -> Messages:
        """The turns, system first if there is one."""
        turn = {"role": "user", "content": self.context + self.head + self.body + self.tail}
        return [{"role": "system", "content": self.system}, turn] if self.system else [turn]


def encode_prompt(tokenizer: Any, prompt: Prompt | Messages, max_tokens: int) -> list[int]:
    """Token ids of the turns with the start of the assistant's turn, at most `max_tokens`.

    A `Prompt` is shortened to fit. Raises ValueError if its fixed parts alone are too long, or if messages
    are (they say nothing about what may go). Special tokens in users' text are read as plain text.
    """
    if isinstance(prompt, Prompt):
        return _shortened(tokenizer, prompt, max_tokens)
    ids = _encode(tokenizer, prompt)
    if len(ids) > max_tokens:
        raise ValueError(f"messages take {len(ids)} tokens of {max_tokens}: send fewer or shorter turns")
    return ids


def encode_row(tokenizer: Any, prompt: Prompt | Messages, completion: str, max_tokens: int, id: str = "") -> Row:
    """The prompt, the completion and the end-of-turn token as one row of at most `max_tokens`.

    The completion is kept whole. Raises ValueError if it leaves no room for the prompt.
    """
    answer = [*_ids(tokenizer, plain(tokenizer, completion)), end_of_turn(tokenizer)]
    if len(answer) >= max_tokens:
        raise ValueError(f"completion of row {id!r} takes {len(answer)} of {max_tokens} tokens: no room left")
    ids = encode_prompt(tokenizer, prompt, max_tokens - len(answer))
    return Row(id, ids + answer, len(ids))


def prompt_length(tokenizer: Any, prompt: Prompt) -> int:
    """Tokens of the prompt as it is, its start of the assistant's turn counted."""
    return lengths(tokenizer, [_text(tokenizer, prompt.messages())])[0]


def lengths(tokenizer: Any, texts: Sequence[str]) -> list[int]:
    """Tokens of each text (N), none of them added or cut away: faster than encoding, which finds characters' places."""
    core = tokenizer.backend_tokenizer if tokenizer.is_fast else None
    if core is None or core.padding or core.truncation or core.encode_special_tokens != tokenizer.split_special_tokens:
        return [len(_ids(tokenizer, text)) for text in texts]
    return [len(found) for found in core.encode_batch_fast(list(texts), add_special_tokens=False)]


def end_of_turn(tokenizer: Any) -> int:
    """The token that ends the assistant's turn in the chat template; else the end-of-sequence token."""
    return _end_of_turn(tokenizer, tokenizer.chat_template)


def plain(tokenizer: Any, text: str) -> str:
    """`text` in which no special token survives: a space after its first character makes it plain text.

    Otherwise a user's text could close its own turn and open another.
    """
    pattern = _specials(tokenizer, tuple(tokenizer.all_special_tokens))
    return pattern.sub(lambda match: match[0][0] + " " + match[0][1:], text)


def _shortened(tokenizer: Any, prompt: Prompt, max_tokens: int) -> list[int]:
    ids = _encode(tokenizer, prompt.messages())
    for field in ("context", "body"):
        text = getattr(prompt, field)
        cuts = _cuts(tokenizer, text) if len(ids) > max_tokens else []
        cuts += [len(text)] if field == "context" else []  # a body is never cut away whole
        drop = 0
        while len(ids) > max_tokens and drop < len(cuts) - 1:
            drop = min(drop + len(ids) - max_tokens, len(cuts) - 1)
            prompt = replace(prompt, **{field: text[cuts[drop] :]})
            ids = _encode(tokenizer, prompt.messages())
    if len(ids) > max_tokens:
        raise ValueError(
            f"system, head, tail and template, which are never shortened, leave no room for the body "
            f"within {max_tokens} tokens"
        )
    return ids


def _cuts(tokenizer: Any, text: str) -> list[int]:
    """Where the text may be cut: for each of its tokens, the character in which it starts."""
    if not tokenizer.is_fast:
        return list(range(len(text)))
    tokens = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    return [start for start, _ in tokens["offset_mapping"]]


def _encode(tokenizer: Any, messages: Messages) -> list[int]:
    return _ids(tokenizer, _text(tokenizer, messages))


def _text(tokenizer: Any, messages: Messages) -> str:
    return _render(tokenizer, [{**m, "content": plain(tokenizer, m["content"])} for m in messages])


def _ids(tokenizer: Any, text: str) -> list[int]:
    ids: list[int] = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    return ids


def _render(tokenizer: Any, messages: Messages, generation: bool = True) -> str:
    from jinja2 import TemplateError

    if not tokenizer.chat_template:
        raise ValueError(
            f"the tokenizer {tokenizer.name_or_path!r} has no chat template: set tokenizer.chat_template, "
            "e.g. to tailorlm.backbone.prompt.PLAIN_TEMPLATE"
        )
    render: Callable[..., str] = tokenizer.apply_chat_template
    options = {"tokenize": False, "add_generation_prompt": generation, "enable_thinking": False}
    try:
        return render(messages, **options)
    except TemplateError:
        if messages[0]["role"] != "system" or len(messages) == 1:
            raise
        return render(_without_system(messages), **options)


def _without_system(messages: Messages) -> Messages:
    # Gemma's template has no system role; its makers put instructions at the head of the user turn.
    system, user, *rest = messages
    return [{**user, "content": system["content"] + "\n\n" + user["content"]}, *rest]


@lru_cache(maxsize=8)
def _specials(tokenizer: Any, tokens: tuple[str, ...]) -> re.Pattern[str]:
    added = [str(t) for t in tokenizer.added_tokens_decoder.values() if t.special]
    long_first = sorted({t for t in (*tokens, *added) if len(t) > 1}, key=lambda t: (-len(t), t))
    return re.compile("|".join(map(re.escape, long_first)) or r"(?!)")


@lru_cache(maxsize=8)
def _end_of_turn(tokenizer: Any, template: str | None) -> int:
    mark = "answer"
    turns = [{"role": "user", "content": "question"}, {"role": "assistant", "content": mark}]
    after = _render(tokenizer, turns, generation=False).rpartition(mark)[2]
    special = {i for i, token in tokenizer.added_tokens_decoder.items() if token.special}
    special |= set(tokenizer.all_special_ids)
    for token in _ids(tokenizer, after):
        if token in special:
            return token
    if tokenizer.eos_token_id is None:
        raise ValueError(f"the tokenizer {tokenizer.name_or_path!r} has no end-of-turn and no eos token")
    return int(tokenizer.eos_token_id)
