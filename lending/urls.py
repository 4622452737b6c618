"""The customers' pages."""

from django.urls import path

from lending.views import apply, home, line, mandate, me, money, offer, profile, public, sandbox, shop

app_name = "lending"

urlpatterns = [
    path("", public.landing, name="landing"),
    path("language/", public.language, name="language"),
    path("profile/", profile.choose, name="profile"),
    path("profile/<slug:kind>/", profile.enter, name="profile_form"),
    path("apply/", apply.choose, name="apply"),
    path("apply/<slug:code>/", apply.start, name="apply_for"),
    path("applications/<int:pk>/", apply.application, name="application"),
    path("applications/<int:pk>/documents/", apply.documents, name="documents"),
    path("applications/<int:pk>/submit/", apply.submit, name="submit"),
    path("applications/<int:pk>/withdraw/", apply.withdraw, name="withdraw"),
    path("applications/<int:pk>/review/", apply.ask_review, name="ask_review"),
    path("documents/<int:pk>/", apply.document, name="document"),
    path("offers/<int:pk>/", offer.offer, name="offer"),
    path("home/", home.home, name="home"),
    path("messages/", home.messages, name="messages"),
    path("messages/read/", home.read, name="read_all"),
    path("messages/<int:pk>/read/", home.read, name="read"),
    path("shop/", shop.shop, name="shop"),
    path("shop/<slug:slug>/", shop.good, name="good"),
    path("purchases/", shop.purchase_list, name="purchases"),
    path("purchases/<int:pk>/", shop.purchase, name="purchase"),
    path("purchases/<int:pk>/return/", shop.give_back, name="give_back"),
    path("bills/", money.bills, name="bills"),
    path("bills/<int:pk>/", money.bill, name="bill"),
    path("loans/", money.loan_list, name="loans"),
    path("loans/<int:pk>/", money.loan, name="loan"),
    path("loans/<int:pk>/settle/", money.settle, name="settle"),
    path("pay/", money.pay, name="pay"),
    path("payments/", money.payment_list, name="payments"),
    path("payments/return/", money.payment_return, name="payment_return"),
    path("payments/<int:pk>/", money.payment, name="payment"),
    path("payments/<int:pk>/gateway/", money.go_to_gateway, name="go_to_gateway"),
    path("sandbox/<slug:reference>/", sandbox.sandbox, name="sandbox"),
    path("line/", line.line, name="line"),
    path("line/lock/", line.lock, name="lock"),
    path("line/unlock/", line.unlock, name="unlock"),
    path("line/close/", line.close, name="close_line"),
    path("line/appeal/", line.appeal, name="appeal"),
    path("me/", me.me, name="me"),
    path("me/consents/", me.consents, name="consents"),
    path("me/consents/<slug:purpose>/give/", me.change_consent, {"given": True}, name="give_consent"),
    path(
        "me/consents/<slug:purpose>/withdraw/", me.change_consent, {"given": False}, name="withdraw_consent"
    ),
    path("me/debit/", mandate.mandate, name="mandate"),
    path("me/debit/<int:pk>/end/", mandate.revoke, name="revoke_mandate"),
    path("me/export/", me.export, name="export"),
]
