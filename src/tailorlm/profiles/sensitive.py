"""Traits that profiles leave out by default, and the words by which a statement that names one is found.

The list follows articles 9 and 10 of the GDPR and adds whereabouts, money and contact details. A word list
finds what is said outright, in English, and no more. Knows nothing of users.
"""

import re
from collections.abc import Sequence

# Alternatives as regular expressions, each bounded by word boundaries; \w* where the stem is enough.
CUES = {
    "health": r"diagnos\w*|diseases?|illness(?:es)?|depress\w*|anxiety|cancer|diabet\w*|pregnan\w*|disab\w*"
    r"|therapists?|medications?|autis\w*|adhd|hiv|addict\w*|alcoholi\w*|mental health",
    "religion": r"christian\w*|catholic\w*|muslims?|islam\w*|jewish|judaism|hindu\w*|buddhis\w*|atheis\w*"
    r"|mormons?|religious|(?:his|her|their) faith",
    "ethnicity": r"ethnic\w*|racial|african american|asian american|(?:black|white) (?:person|man|woman)"
    r"|latinos?|latinas?|hispanics?|native american|(?:his|her|their) race",
    "political opinion": r"republicans?|democrats?|vote[sd]? for|left-wing|right-wing|conservatives?"
    r"|liberals?|socialists?|communists?|trade unions?|union member",
    "sexual life": r"gay|lesbian|bisexual|homosexual|heterosexual|transgender|queer|sexual\w*|sex life",
    "criminal record": r"convict\w*|arrested|felon\w*|criminal record|prison sentence|on parole",
    "immigration status": r"immigrants?|undocumented|asylum|visa status|refugees?",
    "money": r"salary|income|bankrupt\w*|in debt|credit score|net worth",
    "contact details": r"phone number|home address|e-?mail address|passport|lives (?:at|in)",
}
CONTACT = re.compile(r"[\w.+-]+@[\w-]+\.\w|(?<!\d)\+?\d(?:[ ()/-]?\d){8,}(?!\d)")
PATTERNS = {trait: re.compile(rf"\b(?:{cues})\b", re.IGNORECASE) for trait, cues in CUES.items()}
TRAITS = tuple(CUES)


def named(text: str, traits: Sequence[str] = TRAITS) -> tuple[str, ...]:
    """Which of `traits` the text names. A trait that is not in TRAITS is looked for by its own words."""
    return tuple(trait for trait in traits if _names(text, trait))


def _names(text: str, trait: str) -> bool:
    if trait == "contact details" and CONTACT.search(text):
        return True
    pattern = PATTERNS.get(trait) or re.compile(rf"\b{re.escape(trait)}\b", re.IGNORECASE)
    return bool(pattern.search(text))
