"""The Flask application: routes from the table, every error as a problem, every answer with its headers
and log line."""

import re
from collections.abc import Callable

from flask import Flask, Response, g
from werkzeug.routing import BaseConverter
from werkzeug.wrappers import Response as AnyResponse

from api.auth import authenticate
from api.deadline import answered_in_time
from api.problems import Problem
from api.requests_log import begin, finish
from api.routes import ENDPOINT_ID, JOB_ID, ROUTES, Route
from api.services import EXTENSION, build_services
from api.translation import problem_response, to_problem
from infra.connections import Durability
from infra.keys import Scope
from infra.settings import Settings, load_settings

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

ID_PATTERNS = {"job_id": (JOB_ID, "job_not_found"), "endpoint_id": (ENDPOINT_ID, "endpoint_not_found")}
"""By variable of a path: what an id looks like, and the problem when it does not."""


class Id(BaseConverter):
    """An id in a path. A plain word is none: `/v1/jobs/cancel` is a call of its own, whatever the method."""

    regex = "(?s:[a-z]*[^a-z].*)"


def build_app(settings: Settings | None = None, durability: Durability | None = None) -> Flask:
    """The application on its services; `durability` as for `build_services`."""
    app = Flask("api", static_folder=None)
    app.extensions[EXTENSION] = build_services(settings or load_settings(), durability)
    app.url_map.merge_slashes = False
    app.url_map.converters["id"] = Id
    for route in ROUTES:
        app.add_url_rule(
            route.rule, route.name, _guarded(route), methods=[route.method], provide_automatic_options=False
        )
    app.before_request(begin)
    app.after_request(_with_headers)
    app.after_request(finish)
    app.register_error_handler(Exception, _answer_error)
    return app


def _guarded(route: Route) -> Callable[..., AnyResponse]:
    """The route's view, behind its authentication and its deadline."""
    view = route.view()

    def guarded(**variables: str) -> AnyResponse:
        if route.auth in ("key", "admin"):
            caller = authenticate()
            g.owner, g.key_id = caller.owner, caller.key_id
            if route.auth == "admin":
                caller.require(Scope.ADMIN)
        for name, (pattern, slug) in ID_PATTERNS.items():
            if name in variables and not re.fullmatch(pattern, variables[name]):
                raise Problem(slug)
        return view(**variables)

    def in_time(**variables: str) -> AnyResponse:
        with answered_in_time():
            return guarded(**variables)

    return in_time


def _with_headers(response: Response) -> Response:
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["X-Request-Id"] = g.request_id
    return response


def _answer_error(error: Exception) -> Response:
    return problem_response(to_problem(error))
