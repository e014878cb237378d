"""Parts of JDF 1.x tickets made for the tests."""

from tests.unit.ingest.made import TIME

SILK = '<Media ID="m1" ProductID="SILK" MediaType="Paper" Weight="135" DescriptiveName="Silk"/>'
GLOSS = '<Media ID="m2" ProductID="GLOSS" MediaType="Paper" Weight="135"/>'
CARDS = (
    '<Component ID="c1" ProductID="cards" ComponentType="FinalProduct" ProductType="BusinessCard"/>'
)
MAKES = '<ComponentLink rRef="c1" Usage="Output" {}/>'


def node(links: str = "", audits: str = "", more: str = 'Type="ConventionalPrinting"') -> str:
    """A process node below the root."""
    return (
        f'<JDF ID="n2" JobPartID="print" {more}><ResourceLinkPool>{links}</ResourceLinkPool>'
        f"<AuditPool>{audits}</AuditPool></JDF>"
    )


def audit(inner: str, attributes: str = 'ID="r1"') -> str:
    """A resource audit."""
    return f'<ResourceAudit TimeStamp="{TIME}" {attributes}>{inner}</ResourceAudit>'


def link(reference: str, amounts: str = "", inner: str = "", name: str = "Media") -> str:
    """An input link."""
    return f'<{name}Link rRef="{reference}" Usage="Input" {amounts}>{inner}</{name}Link>'


def conditions(attribute: str, good: str, waste: str) -> str:
    """Good and waste as JDF words them."""
    return (
        f'<AmountPool><PartAmount {attribute}="{good}"><Part Condition="Good"/></PartAmount>'
        f'<PartAmount {attribute}="{waste}"><Part Condition="Waste"/></PartAmount></AmountPool>'
    )
