"""Safety: what is asked for and what is made are held against categories, and the operator's policy says what
follows. docs/safety.md tells what this can and cannot do. Loads no torch.
"""

from pipelines.safety.policy import CATEGORIES, MINORS, Action, Policy, Verdict, policy_of
from pipelines.safety.prompts import categories_in, check_prompt

__all__ = [
    "CATEGORIES",
    "MINORS",
    "Action",
    "Policy",
    "Verdict",
    "categories_in",
    "check_prompt",
    "policy_of",
]
