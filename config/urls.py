from django.contrib import admin
from django.urls import include, path

from config.health import healthz
from config.metrics import metrics

urlpatterns = [
    path("healthz", healthz),
    path("metrics", metrics),
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.urls")),
    path("api/", include("config.api")),
    path("", include("lending.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
]
