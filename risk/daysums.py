"""The daily sums, declared once: each column of `CustomerDay` as SQL over events `e`.

The same expressions move the sums when events come in, count the hours of a day that is not over yet,
and prove in the tests that the sums are what the events say.
"""

RISKY = """e.kind = 'ORDER' AND e.data @> '{"risky": true}'"""
LATE = """e.kind = 'DELIVERY' AND e.data @> '{"late": true}'"""
LATE_GOODS = """e.kind = 'GOODS_RECEIVED' AND e.data @> '{"late": true}'"""

SUMS = {
    "orders": "count(*) FILTER (WHERE e.kind = 'ORDER')",
    "order_amount": "coalesce(sum(e.amount) FILTER (WHERE e.kind = 'ORDER'), 0)",
    "risky_amount": f"coalesce(sum(e.amount) FILTER (WHERE {RISKY}), 0)",
    "deliveries": "count(*) FILTER (WHERE e.kind = 'DELIVERY')",
    "late_deliveries": f"count(*) FILTER (WHERE {LATE})",
    "returns": "count(*) FILTER (WHERE e.kind = 'RETURN')",
    "return_amount": "coalesce(sum(e.amount) FILTER (WHERE e.kind = 'RETURN'), 0)",
    "cancels": "count(*) FILTER (WHERE e.kind = 'CANCEL')",
    "cancel_amount": "coalesce(sum(e.amount) FILTER (WHERE e.kind = 'CANCEL'), 0)",
    "disputes": "count(*) FILTER (WHERE e.kind = 'DISPUTE')",
    "invoices": "count(*) FILTER (WHERE e.kind = 'INVOICE')",
    "invoice_amount": "coalesce(sum(e.amount) FILTER (WHERE e.kind = 'INVOICE'), 0)",
    "invoices_paid": "count(*) FILTER (WHERE e.kind = 'INVOICE_PAID')",
    "invoice_paid_amount": "coalesce(sum(e.amount) FILTER (WHERE e.kind = 'INVOICE_PAID'), 0)",
    "goods_received": "count(*) FILTER (WHERE e.kind = 'GOODS_RECEIVED')",
    "late_goods": f"count(*) FILTER (WHERE {LATE_GOODS})",
    "goods_amount": "coalesce(sum(e.amount) FILTER (WHERE e.kind = 'GOODS_RECEIVED'), 0)",
    "rejections": "count(*) FILTER (WHERE e.kind = 'GOODS_REJECTED')",
    "rejected_amount": "coalesce(sum(e.amount) FILTER (WHERE e.kind = 'GOODS_REJECTED'), 0)",
    "address_changes": "count(*) FILTER (WHERE e.kind = 'ADDRESS_CHANGE')",
}
COLUMNS = ", ".join(SUMS)
AGGREGATES = ", ".join(f"{sql} AS {name}" for name, sql in SUMS.items())
