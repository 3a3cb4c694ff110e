"""What the server says of itself without a login: CapabilityStatement and SMART configuration. Source: systems.md 2.0, 2.1."""

from evals.simulators.epic.people import Resource
from evals.simulators.epic.search import RULES

# resource type → letters of what it offers (systems.md 2.1): c create, r read, u update, s search
OFFERED = {
    "Account": "rs",
    "Appointment": "rs",
    "Binary": "rs",
    "Claim": "rs",
    "Coverage": "rs",
    "DocumentReference": "crus",
    "ExplanationOfBenefit": "rs",
    "Group": "rs",
    "Location": "rs",
    "Organization": "rs",
    "Patient": "crs",
    "Practitioner": "rs",
    "PractitionerRole": "rs",
}
INTERACTIONS = {"c": "create", "r": "read", "u": "update", "s": "search-type"}
TYPES = {
    "_id": "token",
    "_count": "number",
    "date": "date",
    "birthdate": "date",
    "created": "date",
    "service-date": "date",
}
REFERENCES = {"patient", "beneficiary", "subject", "location", "practitioner", "actor"}


def capability_statement(base: str, oauth: str, version: str) -> Resource:
    uris = [
        {"url": "authorize", "valueUri": f"{oauth}/authorize"},
        {"url": "token", "valueUri": f"{oauth}/token"},
    ]
    endpoints = {
        "url": "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris",
        "extension": uris,
    }
    services = "http://terminology.hl7.org/CodeSystem/restful-security-service"
    service = {"coding": [{"system": services, "code": "SMART-on-FHIR", "display": "SMART-on-FHIR"}]}
    rest = {
        "mode": "server",
        "security": {"extension": [endpoints], "cors": True, "service": [service]},
        "resource": [_resource(kind, letters) for kind, letters in OFFERED.items()],
    }
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "experimental": True,
        "date": "2026-05-11T20:25:44Z",
        "copyright": "Copyright Epic 1979-2026",
        "kind": "instance",
        "instantiates": ["http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data"],
        "software": {"name": "Epic", "version": version, "releaseDate": "2026-05-11"},
        "implementation": {"description": "Stand-in for tests, run by Patchbay", "url": base},
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "rest": [rest],
    }


def _resource(kind: str, letters: str) -> Resource:
    rules = RULES.get(kind)
    parameters = ["_id", "_count", *(rules.tests if rules else ())]
    described: Resource = {
        "type": kind,
        "interaction": [{"code": INTERACTIONS[letter]} for letter in letters],
        "searchParam": [{"name": name, "type": _type(name)} for name in parameters],
    }
    if kind == "Group":
        definition = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/group-export"
        described["operation"] = [{"name": "group-export", "definition": definition}]
    return described


def _type(parameter: str) -> str:
    if parameter in REFERENCES:
        return "reference"
    return TYPES.get(
        parameter, "token" if parameter in ("status", "identifier", "gender", "telecom", "phone") else "string"
    )


def smart_configuration(oauth: str) -> dict[str, object]:
    return {
        "authorization_endpoint": f"{oauth}/authorize",
        "token_endpoint": f"{oauth}/token",
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic", "private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ["RS384", "ES384"],
        "grant_types_supported": ["authorization_code", "client_credentials"],
        "scopes_supported": [f"system/{kind}.{letters}" for kind, letters in OFFERED.items()],
        "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["S256"],
        "capabilities": [
            "launch-ehr",
            "client-public",
            "client-confidential-symmetric",
            "client-confidential-asymmetric",
            "permission-v1",
            "permission-v2",
        ],
    }
