"""The checker that jaxtyping's import hook decorates every function of rfteach with."""

from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))  # where a float goes, an int goes too
