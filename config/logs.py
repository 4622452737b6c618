"""Logs: JSON lines for machines, coloured lines for the person at a terminal. Everything goes to stderr."""

import sys
from typing import Any

import structlog

# The same for our own lines and for those of Django, Celery and other libraries.
SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
]


def configure(*, for_people: bool, level: str) -> dict[str, Any]:
    """Set up structlog and return Django's LOGGING."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": SHARED,
        "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(for_people)],
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": formatter},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "lines"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django": {"handlers": [], "level": level, "propagate": True},
            # gunicorn writes one line per request already.
            "django.server": {"handlers": ["stderr"], "level": level, "propagate": False},
            "axes": {"level": "WARNING"},
            "fontTools": {"level": "WARNING"},
            "pgtrigger": {"level": "WARNING"},
        },
    }


def _renderers(for_people: bool) -> list[Any]:
    if for_people:
        # Plain traces: the coloured ones print local variables, and those hold people's data.
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
