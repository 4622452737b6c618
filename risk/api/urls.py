from django.urls import path

from risk.api.views import Events

urlpatterns = [path("events/", Events.as_view(), name="events")]
