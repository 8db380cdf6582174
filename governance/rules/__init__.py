"""Rules on Kafka: what is to be published again, and which rules no judge judges by."""

from governance.rules.judged import RulesInUse, unjudged, without_rules
from governance.rules.publication import RuleRepair, Superseding, compare_rules

__all__ = [
    "RuleRepair",
    "RulesInUse",
    "Superseding",
    "compare_rules",
    "unjudged",
    "without_rules",
]
