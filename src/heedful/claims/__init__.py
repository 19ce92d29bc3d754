"""What the paper and everyone say of these models, as experiments: `heed claims`."""

__all__ = ["CLAIMS", "claims_named"]

from collections.abc import Sequence

from heedful.claims import (
    long_range,
    order,
    parallel,
    peeking,
    scaling,
    sweep,
    table_one,
    translation,
    tuning,
)
from heedful.claims.claim import Claim
from heedful.errors import SettingError, did_you_mean

CLAIMS: tuple[Claim, ...] = (
    parallel.CLAIM,
    long_range.CLAIM,
    tuning.CLAIM,
    translation.CLAIM,
    table_one.CLAIM,
    sweep.CLAIM,
    order.CLAIM,
    peeking.CLAIM,
    scaling.CLAIM,
)
"""All claims, in the order of the page."""


def claims_named(names: Sequence[str]) -> list[Claim]:
    """Return the claims of these names in their order, or all; raises SettingError for others."""
    known = {claim.name: claim for claim in CLAIMS}
    for name in names:
        if name not in known:
            fix = did_you_mean(name, known)
            raise SettingError(f'there is no claim "{name}"', where="heed claims", fix=fix)
    return [known[name] for name in dict.fromkeys(names)] if names else list(CLAIMS)
