"""Provenance: what the audit log tells of the records that people decide on.

    audit rows ──► ledger ──► what is told of each event, act, proposal, token
                                   │
    rows of the tables ────────────┴──► the fields that differ: changed by other means

A record is believed as far as the log tells it. The ledger reads each audit row once, so that a
look costs what came since the last one. What is told and what is found are compared by pure
functions, one module for each table.
"""

from governance.provenance.events import ToldEvent
from governance.provenance.ledger import TELLING, Ledger
from governance.provenance.proposals import ToldProposal
from governance.provenance.tokens import ToldToken
from governance.provenance.watch import LedgerWatch

__all__ = ["TELLING", "Ledger", "LedgerWatch", "ToldEvent", "ToldProposal", "ToldToken"]
