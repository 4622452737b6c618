from risk.bureaus.base import Answer, Source, Subject, configured, current

__all__ = ["Answer", "Source", "Subject", "configured", "current"]
