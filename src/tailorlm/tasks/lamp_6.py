"""LaMP-6, email subject: an email's text to the subject that its writer gave it.

Source: LaMP (Salemi et al., 2024), official input string; reference section 4.
"""

from tailorlm.data.retrieval import Retrieval, given_and_said, labelled
from tailorlm.metrics.text import rouge_score, text_scores
from tailorlm.tasks.task import Task, after, asked, body

INSTRUCTION = "Generate a subject for the following email: "
PROMPT = after("email: ", "lamp_6")

TASK = Task(
    name="lamp_6",
    description="Write the subject line that this person would give an email.",
    labels=None,
    prompt=PROMPT,
    pair=asked(INSTRUCTION),
    metrics=text_scores,
    score=rouge_score,
    max_new_tokens=48,
    retrieval=Retrieval(body(PROMPT), given_and_said, labelled("Email", "Subject")),
)
