"""What drf-spectacular cannot see by itself: every operation can answer with a problem."""

from typing import Any

from lending.api.problems import CONTENT_TYPE

PROBLEM = {
    "type": "object",
    "description": "RFC 9457. `code` is stable and for machines, `detail` is for people in the language asked for.",
    "required": ["type", "title", "status", "code", "detail", "errors"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}
EVERYWHERE = {
    "400": "The request is not valid; `errors` says field by field why.",
    "401": "No token, or one that is not valid.",
    "403": "The token's user may not use the API.",
    "404": "There is nothing of that name.",
    "406": "Only application/json is spoken here.",
    "429": "Too many requests; `Retry-After` says how many seconds to wait.",
    "503": "Too busy; nothing was changed, try again.",
}
ON_WRITING = {
    "409": "Not possible in the present state, or the first request with this key is still being worked on.",
    "413": "The body is too large.",
    "415": "Send application/json.",
    "422": "A rule refuses an input, or the key was used for another request.",
}


def add_problems(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """A post-processing hook of drf-spectacular."""
    result.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM
    for path in result["paths"].values():
        for method, operation in path.items():
            known = EVERYWHERE if method == "get" else EVERYWHERE | ON_WRITING
            for status, description in known.items():
                operation["responses"].setdefault(status, _answer(description))
    return result


def _answer(description: str) -> dict[str, Any]:
    reference = {"$ref": "#/components/schemas/Problem"}
    return {"description": description, "content": {CONTENT_TYPE: {"schema": reference}}}
