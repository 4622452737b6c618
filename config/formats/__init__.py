"""How dates and figures are written, where the framework's habit would be misread."""
