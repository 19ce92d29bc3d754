"""The OpenAPI document is valid, and schemathesis finds no answer that it does not allow."""

import http.client
import json

import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.serve.serving import Live, listening
from tests.serve.writers import writer_of

EXAMPLES = 4


@pytest.fixture(scope="module")
def live():  # type: ignore[no-untyped-def]
    with listening(writers={"gpt2": writer_of()}) as one:
        yield one


def document(live: Live) -> dict[str, object]:
    connection = http.client.HTTPConnection("127.0.0.1", live.port, timeout=10)
    connection.request("GET", "/openapi.json")
    found = json.loads(connection.getresponse().read())
    connection.close()
    assert isinstance(found, dict)
    return found


def test_the_document_is_valid(live: Live) -> None:
    found = document(live)
    assert found["openapi"] == "3.1.0"
    schemas = found["components"]["schemas"]  # type: ignore[index]
    for schema in schemas.values():
        jsonschema_rs.meta.validate(schema)
    assert set(found["paths"]) == {  # type: ignore[call-overload]
        "/v1/translate",
        "/v1/translate/stream",
        "/v1/models",
        "/v1/models/{name}",
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/embeddings",
        "/v1/detect",
        "/v1/documents",
        "/translate",
        "/detect",
        "/languages",
        "/frontend/settings",
        "/suggest",
        "/translate_file",
        "/download_file/{name}",
        "/health",
        "/ready",
        "/metrics",
    }


def test_no_request_that_is_made_up_breaks_it(live: Live) -> None:
    tried(live, EXAMPLES)


@pytest.mark.slow
def test_no_request_of_many_breaks_it(live: Live) -> None:
    tried(live, 100)


CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


def test_no_document_that_is_made_up_breaks_it(live: Live) -> None:
    operation = schemathesis.openapi.from_dict(document(live))["/v1/documents"]["POST"]
    statuses: set[int] = set()

    @made_up(20)
    @given(operation.as_strategy(GenerationMode.POSITIVE), st.sampled_from(ACCEPTED))
    def check(case: schemathesis.Case, accept: str) -> None:
        case.query = {"to": "de"}
        case.headers["accept"] = accept
        url = f"http://127.0.0.1:{live.port}"
        statuses.add(case.call_and_validate(base_url=url, checks=CHECKS).status_code)

    check()
    assert 200 in statuses
    assert statuses <= {200, 400}  # what is made up is seldom a file of subtitles


@pytest.mark.parametrize("path", ["/v1/completions", "/v1/chat/completions", "/v1/embeddings"])
def test_no_text_that_is_made_up_breaks_a_model_that_writes(live: Live, path: str) -> None:
    operation = schemathesis.openapi.from_dict(document(live))[path]["POST"]
    statuses: set[int] = set()

    @made_up(15)
    @given(operation.as_strategy(GenerationMode.POSITIVE))
    def check(case: schemathesis.Case) -> None:
        assert isinstance(case.body, dict)
        case.body["model"] = "gpt2"
        if "max_tokens" in case.body or path == "/v1/completions":
            case.body["max_tokens"] = 3
        url = f"http://127.0.0.1:{live.port}"
        statuses.add(case.call_and_validate(base_url=url, checks=CHECKS).status_code)

    check()
    assert 200 in statuses
    assert statuses <= {200, 400, 413}


ACCEPTED = ["*/*", "application/json"]


@schemathesis.serializer("application/x-subrip")
def written(_: schemathesis.SerializationContext, value: object) -> bytes:
    """Return a document as schemathesis sends it: a made-up text, whatever its type."""
    return str(value).encode("utf-8", "replace")


def made_up(examples: int) -> settings:
    return settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def tried(live: Live, examples: int) -> None:
    schema = schemathesis.openapi.from_dict(document(live))
    url = f"http://127.0.0.1:{live.port}"
    for found in schema.get_all_operations():
        operation = found.ok()
        for mode in GenerationMode if operation.body else [GenerationMode.POSITIVE]:

            @made_up(examples)
            @given(operation.as_strategy(mode))
            def check(case: schemathesis.Case) -> None:
                case.call_and_validate(base_url=url, checks=CHECKS)

            check()
