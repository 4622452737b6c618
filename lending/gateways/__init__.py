from lending.gateways.base import Answer, Forged, Gateway, current, page

__all__ = ["Answer", "Forged", "Gateway", "current", "page"]
