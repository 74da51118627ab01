"""What of an edge can be reached from outside: SECURITY.md promises that probes and metrics cannot."""

from k8s.rendering import find


def test_nothing_but_the_interface_is_routed() -> None:
    [rule] = find("prod", "HTTPRoute")["spec"]["rules"]
    assert [match["path"] for match in rule["matches"]] == [{"type": "PathPrefix", "value": "/v1/"}]
    [host] = find("prod-nginx", "Ingress")["spec"]["rules"]
    assert [(path["pathType"], path["path"]) for path in host["http"]["paths"]] == [("Prefix", "/v1/")]
    assert "defaultBackend" not in find("prod-nginx", "Ingress")["spec"]
