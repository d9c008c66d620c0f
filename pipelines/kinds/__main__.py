"""Print what docs/kinds.md says of each kind."""

from pipelines.kinds import KINDS
from pipelines.kinds.tables import section

for kind in KINDS:
    print("\n".join(section(kind)), end="\n\n")
