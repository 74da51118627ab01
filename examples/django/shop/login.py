"""Stands in for your login: the user is whoever the header X-User names."""

from collections.abc import Callable

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse


def find_user(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Return a middleware that does for sync and async views what Django's own does."""

    def middleware(request: HttpRequest) -> HttpResponse:
        user, _ = User.objects.get_or_create(username=request.headers["X-User"])

        async def auser() -> User:
            return user

        request.user, request.auser = user, auser
        return get_response(request)

    return middleware
