from lending.gateways.base import Answer, Forged, Gateway, Order, Taken, current, debit, page

__all__ = ["Answer", "Forged", "Gateway", "Order", "Taken", "current", "debit", "page"]
