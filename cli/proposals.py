"""``governance proposals``: rises that wait for people."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.client import Client, Url
from cli.output import AsJson, print_fields, print_json, print_table, told

PROPOSALS = "/api/governance/proposals"

app = typer.Typer(invoke_without_command=True)

ProposalId = Annotated[
    str, typer.Argument(help="As `governance proposals` shows it.", metavar="ID")
]


@app.callback()
def proposals(context: typer.Context, url: Url = None, as_json: AsJson = False) -> None:
    """Show the rises that wait for people, or decide on one."""
    if context.invoked_subcommand is not None:
        return
    found = Client(url).get(PROPOSALS)
    if as_json:
        print_json(found)
        return
    rows = [one | one["expansion"] | {"risk": one["riskAssessment"]["level"]} for one in found]
    columns = {
        "targetPhase": "to",
        "commandsToWhitelist": "adds",
        "risk": "risk",
        "missingApprovals": "approvals missing",
        "expiresAt": "until",
        "id": "id",
    }
    print_table(rows, columns, empty="No proposal waits.")


@app.command()
def show(proposal: ProposalId, url: Url = None, as_json: AsJson = False) -> None:
    """Show what would be allowed, what speaks for it, and at what risk."""
    found = Client(url).get(PROPOSALS, proposal)
    if as_json:
        print_json(found)
        return
    expansion, risk = found["expansion"], found["riskAssessment"]
    approved = [one["role"] for one in found["approvals"] if one["voidedAt"] is None]
    print_fields(
        {
            "from": expansion["currentPhase"],
            "to": expansion["targetPhase"],
            "adds": expansion["commandsToWhitelist"],
            "validation": f"{expansion['validationPeriod']} days",
            "status": found["status"],
            "for it": "; ".join(found["rationale"]["keyAchievements"]),
            "risk": f"{risk['level']}: {'; '.join(risk['reasons'])}",
            "mitigations": "; ".join(risk["mitigations"]),
            "way back": risk["rollbackPlan"],
            "approved by": approved,
            "missing": found["missingApprovals"],
            "until": found["expiresAt"],
        }
    )


@app.command()
def approve(
    proposal: ProposalId,
    role: Annotated[
        str, typer.Option("--as", help="tech-lead, ops-lead, product-lead or exec-sponsor.")
    ],
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Approve a rise in your role, to the content that stands there now."""
    answer = Client(url).send("POST", PROPOSALS, proposal, "approve", body={"approvedBy": role})
    missing = ", ".join(answer.body["missingApprovals"])
    phase = answer.body["state"]["currentPhase"]
    risen = f"approved: autonomy is at {phase}"
    said = risen if answer.body["phaseChanged"] else f"approved as {role}; missing: {missing}"
    told(answer, said, as_json=as_json)


@app.command()
def reject(
    proposal: ProposalId,
    reason: Annotated[str | None, typer.Option(help="Why.")] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Reject a rise for good."""
    answer = Client(url).send("POST", PROPOSALS, proposal, "reject", body={"reason": reason})
    told(answer, f"{proposal} is rejected", as_json=as_json)
