from rest_framework.routers import SimpleRouter

from lending.api import views

router = SimpleRouter()
router.register("customers", views.Customers, basename="customer")
router.register("applications", views.Applications, basename="application")
router.register("lines", views.Lines, basename="line")
router.register("loans", views.Loans, basename="loan")
router.register("purchases", views.Purchases, basename="purchase")

urlpatterns = router.urls
