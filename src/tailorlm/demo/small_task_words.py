"""What may be said of a small task: ways to open a description, and ways to say each value of each axis.

Knows nothing of tasks, splits or models. The last RESERVED phrases of each list are for evaluation alone: an unseen
description shares no phrase with training. The encoder is uncased, so letter case is put into words.
"""

RESERVED = 2

# fmt: off
OPENINGS: dict[str, tuple[str, ...]] = {
    "headline": (
        "write a headline for the piece of news", "turn the news into a headline", "give the story its headline",
        "make a headline out of this report", "read the news item and write its headline",
        "produce the title line of the news story", "put a newspaper heading on this event",
    ),
    "tweet": (
        "write a post about what happened", "turn the event into a post", "make a social media post of this",
        "post about the thing that happened", "share what happened as a short post",
        "compose a tweet from the event", "tell followers about it in a status update",
    ),
    "rating": (
        "rate the review from one to five", "give the review a number of stars",
        "turn the review into a star rating", "say how many of five stars the review deserves",
        "score the review between one and five", "grade what the reviewer says with one to five points",
        "map the opinion to a number on a five point scale",
    ),
    "movie_tagging": (
        "tag the movie with one of the listed tags", "choose one tag for the movie",
        "pick a single tag for this film from the list", "label the movie with one tag",
        "select the tag of the movie", "decide which one of the given tags the film gets",
        "assign this film one genre among those offered",
    ),
}

PHRASES: dict[str, tuple[str, ...]] = {
    "case: sentence": (
        "only the first word has a capital letter", "use sentence case", "capitalise just the beginning",
        "write it like an ordinary sentence with one capital at the start",
        "a capital for the first letter and small letters after it",
        "start with a capital and continue in small letters", "normal sentence capitalisation",
    ),
    "case: lower": (
        "write everything in lower case", "use small letters only", "no capital letters at all",
        "keep every letter lowercase", "never capitalise anything", "all of it lowercased, the first letter too",
        "avoid capitals completely",
    ),
    "case: title": (
        "use title case", "every word starts with a capital letter", "capitalise each word",
        "write each word with a capital first letter", "title case, every word capitalised",
        "the first letter of all words is a capital", "capitalise the words one by one, as in a book title",
    ),
    "case: upper": (
        "write everything in capital letters", "use upper case only", "every letter is a capital",
        "put it all in capitals", "all letters uppercase", "block capitals throughout", "shout it in all caps",
    ),
    "ending: bare": (
        "no punctuation at the end", "end without any mark", "leave the end unpunctuated",
        "nothing follows the last word", "put no mark after the last word", "stop without punctuation",
        "the final word stands bare",
    ),
    "ending: stop": (
        "end with a full stop", "put a period at the end", "finish with a full stop", "close it with a period",
        "the last character is a full stop", "a period closes the line", "add a full stop after the last word",
    ),
    "ending: exclamation": (
        "end with an exclamation mark", "put an exclamation point at the end", "finish with an exclamation mark",
        "close it with an exclamation point", "the last character is an exclamation mark",
        "an exclamation point closes the line", "add an exclamation mark after the last word",
    ),
    "ending: ellipsis": (
        "end with an ellipsis", "put three dots at the end", "trail off with three dots", "finish with an ellipsis",
        "close it with three dots", "an ellipsis closes the line", "add three dots after the last word",
    ),
    "ending: question": (
        "end with a question mark", "put a question mark at the end", "finish with a question mark",
        "close it with a question mark", "the last character is a question mark", "a question mark closes the line",
        "add a question mark after the last word",
    ),
    "length: full": (
        "keep every detail", "leave nothing out", "say all of it", "include when or where it happened",
        "keep the whole text", "no detail is dropped", "mention everything that is given",
    ),
    "length: short": (
        "drop when or where it happened", "leave out the last detail", "cut the closing detail",
        "omit the time or place", "shorten it by its last part", "skip the final detail",
        "without the time or place at the end",
    ),
    "opener: none": (
        "no opening words before it", "start with the thing itself", "begin directly", "put nothing in front",
        "use no opener", "go straight into what happened", "without any introductory words",
    ),
    "opener: honestly": (
        "open with the word honestly", "start with honestly", "the first word is honestly",
        "begin by saying honestly", "put honestly in front", "honestly comes first", "lead with honestly",
    ),
    "opener: wow": (
        "open with the word wow", "start with wow", "the first word is wow", "begin by saying wow",
        "put wow in front", "wow comes first", "lead with wow",
    ),
    "opener: ok-so": (
        "open with the words ok so", "start with ok so", "the first words are ok so", "begin by saying ok so",
        "put ok so in front", "ok so comes first", "lead with ok so",
    ),
    "opener: guess-what": (
        "open with the words guess what", "start with guess what", "the first words are guess what",
        "begin by saying guess what", "put guess what in front", "guess what comes first", "lead with guess what",
    ),
    "emoji: none": (
        "use no emoji", "without any emoji", "leave emoji out", "words only, no emoji", "do not add an emoji",
        "no smileys or symbols", "keep it free of emoji",
    ),
    "emoji: laughing": (
        "end with the laughing emoji", "add a face with tears of joy", "finish with the laughing face",
        "put the tears of joy emoji last", "close with a laughing emoji", "the emoji that laughs comes at the end",
        "append the crying with laughter face",
    ),
    "emoji: fire": (
        "end with the fire emoji", "add a flame", "finish with the fire symbol", "put the flame emoji last",
        "close with a fire emoji", "the emoji of a fire comes at the end", "append the burning flame",
    ),
    "emoji: broken-heart": (
        "end with the broken heart emoji", "add a broken heart", "finish with the heartbreak symbol",
        "put the broken heart last", "close with a heartbreak emoji", "the emoji of a split heart comes at the end",
        "append the heart that is broken in two",
    ),
    "emoji: sparkles": (
        "end with the sparkles emoji", "add sparkles", "finish with the glitter stars", "put the sparkle emoji last",
        "close with a sparkles emoji", "the emoji of sparkling stars comes at the end", "append the shiny stars",
    ),
    "emoji: upside-down": (
        "end with the upside-down face emoji", "add an upside-down smiley", "finish with the inverted smile",
        "put the upside-down face last", "close with an upside-down face",
        "the emoji of a smile on its head comes at the end", "append the flipped smiley",
    ),
    "shift: fair": (
        "give what the words deserve", "be neither strict nor generous", "judge it fairly",
        "add nothing and take nothing off", "stay neutral", "no bonus and no penalty", "be even handed",
    ),
    "shift: harsher": (
        "give one star less than it deserves", "be a bit strict and take one star off", "subtract one",
        "judge one point too low", "one star below what is fair", "deduct a single point",
        "be slightly severe, a star lower",
    ),
    "shift: much-harsher": (
        "give two stars less than it deserves", "be very strict and take two stars off", "subtract two",
        "judge two points too low", "two stars below what is fair", "deduct two points",
        "be extremely severe, two stars lower",
    ),
    "shift: kinder": (
        "give one star more than it deserves", "be a bit generous and add one star", "add one",
        "judge one point too high", "one star above what is fair", "grant a single extra point",
        "be slightly lenient, a star higher",
    ),
    "shift: much-kinder": (
        "give two stars more than it deserves", "be very generous and add two stars", "add two",
        "judge two points too high", "two stars above what is fair", "grant two extra points",
        "be extremely lenient, two stars higher",
    ),
    "spread: usual": (
        "use the scale as usual", "keep the usual distance between good and bad",
        "do not stretch or squeeze the scale", "good and bad lie as far apart as they are",
        "an ordinary range of stars", "differences stay as they are", "a normal spread of scores",
    ),
    "spread: narrow": (
        "stay close to the middle of the scale", "good and bad lie half as far apart", "use few different numbers",
        "squeeze the scale towards three", "hardly tell good from bad", "differences are halved",
        "a compressed spread of scores",
    ),
    "spread: wide": (
        "use the ends of the scale", "good and bad lie twice as far apart", "stretch the scale away from three",
        "exaggerate how good or bad it is", "go to extremes", "differences are doubled",
        "a stretched spread of scores",
    ),
    "spread: turned": (
        "turn the scale around", "one star is the best and five the worst", "the better the review, the fewer stars",
        "reverse the numbers", "bad reviews get many stars and good ones few", "an inverted scale",
        "count the stars backwards",
    ),
    "rule: prefer": (
        "prefer {tag} whenever it is listed", "choose {tag} if it is among them", "{tag} wins over all others",
        "take {tag} when you can", "always favour {tag}", "{tag} comes before any other",
        "if {tag} is offered it is the answer",
    ),
    "rule: avoid": (
        "never choose {tag}", "avoid {tag}", "{tag} is never the answer", "do not take {tag}", "anything but {tag}",
        "{tag} is out of the question", "leave {tag} aside even if it is offered",
    ),
    "otherwise: first": (
        "else take the first tag listed", "otherwise the first of the list", "of the rest choose the first one",
        "if not, the tag that is listed first", "apart from that the earliest in the list",
        "in other cases the one that opens the list", "the list's first entry decides the rest",
    ),
    "otherwise: last": (
        "else take the last tag listed", "otherwise the last of the list", "of the rest choose the last one",
        "if not, the tag that is listed last", "apart from that the final one in the list",
        "in other cases the one that closes the list", "the list's last entry decides the rest",
    ),
}
# fmt: on

VAGUE: dict[str, str] = {
    "case: sentence": "write it normally",
    "case: lower": "keep it quiet",
    "case: title": "make it look official",
    "case: upper": "make it loud",
    "ending: bare": "do not decorate it",
    "ending: stop": "make it sound final",
    "ending: exclamation": "make it sound excited",
    "ending: ellipsis": "leave it hanging",
    "ending: question": "make it sound unsure",
    "length: full": "be thorough",
    "length: short": "be brief",
    "opener: none": "get to the point",
    "opener: honestly": "sound sincere",
    "opener: wow": "sound amazed",
    "opener: ok-so": "start casually",
    "opener: guess-what": "make people curious",
    "emoji: none": "keep it sober",
    "emoji: laughing": "show that it is funny",
    "emoji: fire": "make it look hot",
    "emoji: broken-heart": "make it look sad",
    "emoji: sparkles": "make it look pretty",
    "emoji: upside-down": "be a bit ironic",
    "shift: fair": "be reasonable",
    "shift: harsher": "be a little hard to please",
    "shift: much-harsher": "be very hard to please",
    "shift: kinder": "be easily pleased",
    "shift: much-kinder": "love everything",
    "spread: usual": "be like everybody",
    "spread: narrow": "be calm about it",
    "spread: wide": "be dramatic",
    "spread: turned": "be contrary",
    "rule: prefer": "for people who like {tag}",
    "rule: avoid": "for people who are tired of {tag}",
    "otherwise: first": "go by what comes up first",
    "otherwise: last": "go by what was said last",
}
