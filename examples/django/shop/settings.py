"""Settings of the example: a shop that imports orders."""

from pathlib import Path

TAILRACE = {"URL": "nats://127.0.0.1:4222", "TENANT": "default"}

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "tailrace_producer.contrib.django",
    "shop",
]
MIDDLEWARE = ["shop.login.find_user"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": Path("db.sqlite3")}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "shop.urls"
SECRET_KEY = "of an example that keeps no secret"
USE_TZ = True
