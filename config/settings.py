"""Settings. What differs between machines comes from the environment (config/env.py), the rest is here."""

from pathlib import Path

import dj_database_url
from csp.constants import NONCE, NONE, SELF, UNSAFE_INLINE
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from config import env, logs, schedule, unfold

BASE_DIR = Path(__file__).resolve().parent.parent
LOCAL_DIR = BASE_DIR / ".local"

# Made by `make setup`, absent in production: secrets of this machine, and DEBUG=1.
env.load(LOCAL_DIR / "secrets.env")

try:
    DEBUG = env.flag("DEBUG")
    SECRET_KEY = env.required("SECRET_KEY")
    # Fernet keys: the first encrypts, all decrypt, so that keys can be rotated.
    FIELD_ENCRYPTION_KEYS = env.required("FIELD_ENCRYPTION_KEYS").replace(" ", "").split(",")
    # Fingerprints of encrypted values, for look-ups; a key of its own, so that they outlive a rotation.
    FIELD_DIGEST_KEY = env.required("FIELD_DIGEST_KEY")
    DATABASE_URL = env.required("DATABASE_URL", "postgresql:///opentab" if DEBUG else "")
    REDIS_URL = env.required("REDIS_URL", "redis://127.0.0.1:6379/0" if DEBUG else "")
    DATABASE_CONN_MAX_AGE = env.number("DATABASE_CONN_MAX_AGE", 60)
    WEB_PORT = env.number("PORT", 8000)
except env.MissingSetting as problem:
    raise ImproperlyConfigured(str(problem)) from None

ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1],testserver" if DEBUG else "")
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS")

# --- apps -------------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "unfold.contrib.import_export",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "rest_framework",
    "rest_framework.authtoken",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_filters",
    "pgtrigger",
    "import_export",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "axes",
    "django_htmx",
    "csp",
    "lending",
    "risk",
    "dunning",
    "config",  # the commands that drive all of the above
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.csp.StrictOutsideTheAdmin",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "lending.middleware.user_language",
    "lending.middleware.BooksOpen",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
ASGI_APPLICATION = "config.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
                "lending.views.context.site",
            ],
        },
    },
]

# --- data -------------------------------------------------------------------------------------------------

DATABASES = {
    "default": dj_database_url.parse(
        DATABASE_URL, conn_max_age=DATABASE_CONN_MAX_AGE, conn_health_checks=True
    )
}
# Behind a pooler in transaction mode (PgBouncer), neither a cursor of the server nor a prepared statement outlives
# its transaction. Without one, lending.bulk has what it sends often planned once per connection.
POOLER = env.flag("DATABASE_POOLER")
DATABASES["default"]["DISABLE_SERVER_SIDE_CURSORS"] = POOLER
DATABASES["default"].setdefault("OPTIONS", {})["prepare_threshold"] = None if POOLER else 5
# However the server is set up: data are on a disk without a head to move, statements are short, so compiling them takes
# longer than they do, and the close may sort in memory. Our triggers ask which of them are to be ignored: without an
# answer each of them fails and goes on, and that again for every row. A pooler lets no options through: set them for
# its role.
if not POOLER:
    DATABASES["default"]["OPTIONS"].setdefault(
        "options", "-c random_page_cost=1.1 -c jit=off -c work_mem=32MB -c pgtrigger.ignore={}"
    )
DATABASES["default"]["TEST"] = {"NAME": env.text("TEST_DATABASE_NAME", "test_opentab")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Where several sites share one Redis, each has its own prefix. Tests use it too.
REDIS_PREFIX = env.text("REDIS_PREFIX")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": REDIS_PREFIX,
    }
}

# --- people -----------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "lending.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{validator}"}
    for validator in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"
SESSION_COOKIE_AGE = env.number("SESSION_HOURS", 12) * 3600

ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
# Without a mail server of its own (the demo), a site cannot ask people to open a letter first.
ACCOUNT_EMAIL_VERIFICATION = env.text("ACCOUNT_EMAIL_VERIFICATION", "none" if DEBUG else "mandatory")
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_SESSION_REMEMBER = True
# Against guessing from many addresses at once; from one address, axes (below) is stricter.
ACCOUNT_RATE_LIMITS = {"login_failed": "10/m/ip,50/h/key"}
MFA_TOTP_ISSUER = "OpenTab"

AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 1  # hours
# Both together: a stranger who guesses cannot lock the owner of the account out from elsewhere.
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_TEMPLATE = "429.html"
# Proxies before us that tell the truth about who asks.
PROXY_COUNT = env.number("PROXY_COUNT", 0)
ALLAUTH_TRUSTED_PROXY_COUNT = PROXY_COUNT
AXES_CLIENT_IP_CALLABLE = "config.proxy.client_ip"

# --- words and figures ------------------------------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("zh-hans", _("Simplified Chinese"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = env.text("TIME_ZONE", "Asia/Shanghai")
USE_TZ = True
USE_THOUSAND_SEPARATOR = True
FORMAT_MODULE_PATH = "config.formats"
CURRENCY = env.text("CURRENCY", "CNY")
# Whose holidays are no working days: a code of ISO 3166.
COUNTRY = env.text("COUNTRY", "CN")

# --- files ------------------------------------------------------------------------------------------------

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [path for path in [BASE_DIR / "static"] if path.is_dir()]
MEDIA_ROOT = Path(env.text("MEDIA_ROOT", str(LOCAL_DIR / "media" if DEBUG else BASE_DIR / "media")))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = DEBUG

# --- safety -----------------------------------------------------------------------------------------------

SECURE_PROXY_SSL_HEADER = (
    ("HTTP_X_FORWARDED_PROTO", "https") if env.flag("BEHIND_TLS_PROXY", not DEBUG) else None
)
SECURE_SSL_REDIRECT = env.flag("SECURE_SSL_REDIRECT", not DEBUG)
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^metrics$"]
SECURE_HSTS_SECONDS = 0 if DEBUG else env.number("SECURE_HSTS_SECONDS", 31_536_000)
SECURE_HSTS_INCLUDE_SUBDOMAINS = not DEBUG
SECURE_HSTS_PRELOAD = not DEBUG
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not DEBUG
SESSION_COOKIE_HTTPONLY = True
X_FRAME_OPTIONS = "DENY"

# Scripts only from ourselves, or with the nonce of this answer; config/csp.py says what the staff admin adds.
# Styles also on elements: the width of a bar is a figure of the page.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, NONCE],
        "style-src": [SELF, UNSAFE_INLINE],
        "img-src": [SELF, "data:"],
        "font-src": [SELF, "data:"],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    },
}

# --- API --------------------------------------------------------------------------------------------------

API_REQUESTS_PER_MINUTE = env.number("API_REQUESTS_PER_MINUTE", 12_000)
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["lending.api.access.IsPlatform"],
    "DEFAULT_THROTTLE_CLASSES": ["lending.api.access.PerMinute"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["lending.api.parsers.BoundedJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "lending.api.pages.NewestFirst",
    "EXCEPTION_HANDLER": "lending.api.problems.handler",
    "PAGE_SIZE": 100,
    "COERCE_DECIMAL_TO_STRING": True,
    "NUM_PROXIES": PROXY_COUNT,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "OpenTab",
    "DESCRIPTION": "Orders, deliveries and returns in; credit decisions, purchases and refunds out.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "ENUM_NAME_OVERRIDES": {
        "CustomerKind": "lending.models.customer.CustomerKind",
        "EventKind": "risk.models.events.EventKind",
        "CustomerState": "lending.models.customer.CustomerState",
        "ApplicationState": "lending.models.application.ApplicationState",
        "LineState": "lending.models.line.CreditLineState",
        "LoanState": "lending.models.loan.LoanState",
        "PurchaseState": "lending.models.line.PurchaseState",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "lending.api.schema.add_problems",
    ],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

# --- work in the background -------------------------------------------------------------------------------

# Celery has its own word for a socket.
CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1).replace("?db=", "?virtual_host=")
CELERY_RESULT_BACKEND = None  # what a task did is a row, never a result
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_ROUTES = schedule.ROUTES
CELERY_BEAT_SCHEDULE = schedule.BEAT_SCHEDULE
CELERY_TIMEZONE = TIME_ZONE
# A task that a dead worker held is given out again: tasks find rows and are safe to run twice.
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": env.number("CELERY_VISIBILITY_TIMEOUT", 3600),
    "global_keyprefix": REDIS_PREFIX,
}
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_TIME_LIMIT = env.number("CELERY_TASK_TIME_LIMIT", 1800)
CELERY_TASK_SOFT_TIME_LIMIT = CELERY_TASK_TIME_LIMIT - 60

# Triggers come with the migrations that declare them; only a database built without migrations needs them apart.
PGTRIGGER_INSTALL_ON_MIGRATE = env.flag("PGTRIGGER_INSTALL_ON_MIGRATE")

# --- logs -------------------------------------------------------------------------------------------------

LOGGING = logs.configure(for_people=env.flag("LOG_FOR_PEOPLE", DEBUG), level=env.text("LOG_LEVEL", "INFO"))

# Whoever reads /metrics sends this as a bearer token; without it there is no such page.
METRICS_TOKEN = env.text("METRICS_TOKEN")

# --- what lending asks of those above it, and what the clock does -----------------------------------------

# Who lends: the name on contracts and cost sheets, and the kind of lender, which decides about the legal caps
# (BANK, MICRO_LOAN or CONSUMER_FINANCE). A product may name another kind, for money that comes from elsewhere.
LENDER_NAME = env.text("LENDER_NAME", "OpenTab")
LENDER_TYPE = env.text("LENDER_TYPE", "MICRO_LOAN")
# Dotted paths, asked in order before a purchase is authorised; each may refuse it with a reason.
PURCHASE_SCREENS = ["risk.services.screens.screen_purchases"]
# The task that decides submitted applications, told when there is one.
SCORING_TASK = "risk.tasks.score_applications"
# Where customers pay: a class with the protocol of lending.gateways. The sandbox moves no money.
PAYMENT_GATEWAY = env.text("PAYMENT_GATEWAY", "lending.gateways.sandbox.Sandbox" if DEBUG else "")
# Where a credit bureau and an identity check are asked: classes with the protocol of risk.bureaus. The sandboxes ask
# nobody.
CREDIT_BUREAU = env.text("CREDIT_BUREAU", "risk.bureaus.sandbox.Bureau" if DEBUG else "")
IDENTITY_CHECK = env.text("IDENTITY_CHECK", "risk.bureaus.sandbox.Identity" if DEBUG else "")
# By what decisions on persons are compared (age, region, student, sex): name only what this house lawfully holds.
# Sex is read off the identity number, counted, and never kept.
FAIRNESS_GROUPS = [name.strip() for name in env.text("FAIRNESS_GROUPS", "age,region,student").split(",")]
# Direct debits: how many days before a customer is told, and on which days after the due day an account is asked.
# "products" may say otherwise for the code of a product: {"pay-later": {"retry_days": [0, 2]}}.
AUTO_DEBIT: dict = {"notice_days": 2, "retry_days": [0, 1, 3, 7], "products": {}}
# A shop that sells nothing, to see what buying on a line is like.
DEMO_SHOP = env.flag("DEMO_SHOP", DEBUG)
# Dotted paths, told of every order and return in that shop, as a platform would tell by the API.
SHOP_LISTENERS = ["risk.services.shop.hear"]
# Who hears a customer's objection to a cut or suspension, and who knows what became of the earlier ones.
APPEAL_OPENER = "risk.services.appeals.open"
APPEAL_READER = "risk.selectors.appeals.of_line"
# Who knows why a line was cut or suspended, in words for its customer.
LINE_REASONS = "risk.selectors.appeals.why"
# Puts a reason code of a decision into words of the reader's language.
REASON_TEXTS = "risk.reasons.reason_text"
# The chance of default in twelve months by grade, for the provisions of loans that are not late.
GRADE_DEFAULT_RATES = "risk.selectors.rates.by_grade"
# The codes an officer may decline with: a function that returns pairs of code and words.
REASON_CHOICES = "risk.reasons.choices"
# Dotted paths, asked with a batch of messages at the moment of sending; each may hold messages back.
NOTICE_SCREENS = ["dunning.services.gate.screen_notices"]
CLOSE_STEPS = schedule.CLOSE_STEPS
CLOSE_PLACES = schedule.CLOSE_PLACES

# --- the staff admin ----------------------------------------------------------------------------------------

UNFOLD = unfold.UNFOLD
ROLE_GRANTS = unfold.ROLE_GRANTS
DASHBOARD_CARDS = unfold.DASHBOARD_CARDS
CUSTOMER_SECTIONS = unfold.CUSTOMER_SECTIONS
APPLICATION_SECTIONS = unfold.APPLICATION_SECTIONS
EVENT_WORDS = unfold.EVENT_WORDS
# Everyone of the demo signs in with this; outside DEBUG there is none unless the environment names one.
DEMO_PASSWORD = env.text("DEMO_PASSWORD", "demo" if DEBUG else "")
# An export shows no more than the list it is made from.
IMPORT_EXPORT_EXPORT_PERMISSION_CODE = "view"
IMPORT_EXPORT_ESCAPE_FORMULAE_ON_EXPORT = True

# --- messages ---------------------------------------------------------------------------------------------

OUTBOX_DIR = Path(env.text("OUTBOX_DIR", str(LOCAL_DIR / "outbox")))
# Ways out of the house, in lending/messaging/: outbox.OutboxBackend writes files, console.ConsoleBackend
# shows them, gateway.SmsGatewayBackend posts to an HTTP gateway, mail.MailBackend uses EMAIL_BACKEND (SMTP).
# Files are for the person who tries things out: in production, what cannot be sent must be seen to fail.
SMS_BACKEND = env.text(
    "SMS_BACKEND", f"lending.messaging.{'outbox.OutboxBackend' if DEBUG else 'gateway.SmsGatewayBackend'}"
)
NOTICE_EMAIL_BACKEND = env.text(
    "NOTICE_EMAIL_BACKEND", f"lending.messaging.{'outbox.OutboxBackend' if DEBUG else 'mail.MailBackend'}"
)
LETTER_BACKEND = env.text("LETTER_BACKEND", "lending.messaging.outbox.OutboxBackend")
# The sender's name in messages, and the address their links lead to.
SITE_NAME = env.text("SITE_NAME", "OpenTab")
SITE_URL = env.text("SITE_URL", f"http://localhost:{WEB_PORT}").rstrip("/")
SMS_GATEWAY_URL = env.text("SMS_GATEWAY_URL")
SMS_GATEWAY_TOKEN = env.text("SMS_GATEWAY_TOKEN")
EMAIL_BACKEND = env.text(
    "EMAIL_BACKEND", f"django.core.mail.backends.{'filebased' if DEBUG else 'smtp'}.EmailBackend"
)
EMAIL_FILE_PATH = OUTBOX_DIR / "email"
EMAIL_HOST = env.text("EMAIL_HOST", "localhost")
EMAIL_PORT = env.number("EMAIL_PORT", 25)
EMAIL_HOST_USER = env.text("EMAIL_HOST_USER")
EMAIL_HOST_PASSWORD = env.text("EMAIL_HOST_PASSWORD")
EMAIL_USE_TLS = env.flag("EMAIL_USE_TLS")
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "OpenTab <no-reply@localhost>")
