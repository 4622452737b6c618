"""The addresses below /api/: version 1, its description, and an answer in kind for all others."""

from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.exceptions import NotFound
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


class Nothing(APIView):
    """There is nothing at this address; said the way every other problem is said."""

    permission_classes = (AllowAny,)
    schema = None

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        raise NotFound()

    def get(self, request: Request) -> Response:
        raise NotFound()


urlpatterns = [
    path("v1/", include("risk.api.urls")),
    path("v1/", include("lending.api.urls")),
    path("schema/", SpectacularAPIView.as_view(), name="api-schema"),
    path("docs/", SpectacularSwaggerSplitView.as_view(url_name="api-schema"), name="api-docs"),
    re_path(r"", Nothing.as_view()),
]
