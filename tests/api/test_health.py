from tests.conftest import StartServer
from tests.doubles.model_endpoint import ModelEndpoint

SECRET = "sk-must-never-be-seen"


def test_health_tells_the_endpoint_the_counts_and_the_version(
    start_server: StartServer, endpoint: ModelEndpoint
) -> None:
    server = start_server()
    server.client().beta.threads.create()

    with server.http() as http:
        health = http.get("health").json()

    assert health["status"] == "ok"
    assert health["model"]["kind"] == "endpoint"
    assert health["model"]["base_url"] == endpoint.base_url
    assert health["counts"] == {"assistants": 0, "threads": 1, "runs": 0, "waiting": 0}


def test_health_says_whether_a_secret_is_set_and_never_shows_it(
    start_server: StartServer, endpoint: ModelEndpoint
) -> None:
    address = endpoint.base_url.replace("127.0.0.1", f"user:{SECRET}@127.0.0.1")
    server = start_server(
        api_keys=SECRET, model_api_key=SECRET, dashboard_password=SECRET, model_base_url=address
    )

    with server.http(Authorization=f"Bearer {SECRET}") as http:
        answer = http.get("health")

    assert answer.status_code == 200
    assert answer.json()["settings"]["API_KEYS"] == "set"
    assert answer.json()["settings"]["AGENTOPS_API_KEY"] == "not set"
    assert SECRET not in answer.text


def test_health_names_an_endpoint_that_cannot_be_reached(start_server: StartServer) -> None:
    server = start_server(model_base_url="http://127.0.0.1:9/v1")

    with server.http() as http:
        health = http.get("health").json()

    assert health["status"] == "problem"
    assert "cannot be reached" in health["model"]["message"]
    assert "MODEL_BASE_URL" in health["model"]["message"]
