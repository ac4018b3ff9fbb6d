"""Where owners' adapters are in a roster: who had nothing to train on has what all adapters stand on, alone.

A fresh LoRA or IA3 changes nothing, and stays. A fresh prompt or prefix is random: over the base it is left out of the
roster (place -1), over a start it is left out of the stack. Knows nothing of methods. Source: OPPU trains a prompt on
a history (Tan et al. 2024); of none there is nothing of the user's in it.
"""

from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.stack import Stack, without_upper
from tailorlm.methods.tuned import Place, Tuned


def placed(adapters: Adapters, tuned: Tuned) -> tuple[Adapters, dict[Place, int]]:
    """The adapters (U) of `tuned`'s owners, of untrained ones the start's alone; where each owner's is, -1 the base."""
    place = {owner: number for number, owner in enumerate(tuned.owners)}
    space = adapters.space
    if (space.over if isinstance(space, Stack) else space).neutral_start:
        return adapters, place
    alone = [place[owner] for owner in tuned.owners if owner in tuned.untrained]
    if isinstance(space, Stack):
        return without_upper(adapters, alone), place
    return adapters, place | {tuned.owners[number]: -1 for number in alone}
