import os
from typing import Any

from celery import Celery, Task

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")


class WhenOpen(Task):
    """Before the books are open the clock has nothing to do, and that is no failure."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        from lending.models import BusinessDate

        try:
            return self.run(*args, **options)
        except BusinessDate.DoesNotExist:
            return None


app = Celery("opentab", task_cls=WhenOpen)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
