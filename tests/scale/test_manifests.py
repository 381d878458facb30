"""Dockerfile, compose file and manifests say what the application says."""

import ast
import re
import sys
import tomllib
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import kubernetes_validate
import pytest
import yaml
from packaging.utils import canonicalize_name
from programs import free_port
from repository import ROOT

from bareasgi import Application
from bareasgi.testing import http_request
from scale_out.application import make_application
from scale_out.health import add_health
from scale_out.opening import open_worker
from scale_out.serving import PATIENCE
from scale_out.settings import Settings, read_settings

FOLDER: Final = ROOT / "examples" / "scale_out"
DOCKERFILE: Final = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
README: Final = (FOLDER / "README.md").read_text(encoding="utf-8")
NGINX_CONF: Final = (FOLDER / "nginx.conf").read_text(encoding="utf-8")
COMPOSE: Final = yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))
KUSTOMIZATION: Final = yaml.safe_load(
    (FOLDER / "kustomization.yaml").read_text(encoding="utf-8")
)
MANIFEST_FILES: Final = sorted((FOLDER / "kubernetes").glob("*.yaml"))
MANIFESTS: Final[Mapping[str, Any]] = {
    f"{manifest['kind']}/{manifest['metadata']['name']}": manifest
    for file in MANIFEST_FILES
    for manifest in yaml.safe_load_all(file.read_text(encoding="utf-8"))
}

VERSIONS: Final = ("1.30", kubernetes_validate.latest_version())
"""The first Kubernetes whose `preStop` may sleep unasked, and the newest."""

POSTGRES_CONNECTIONS: Final = 100
"""What PostgreSQL takes if it is not told otherwise."""

OF_EACH_PLACE: Final = {"PORT", "OTHER_PORT", "DATABASE_URL", "REDIS_URL"}
"""Settings whose defaults are right on one machine only."""

OF_PYTHON: Final = {"PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"}

OF_NGINX: Final = {"LISTEN", "OTHER_LISTEN", "WORKERS"}

SERVICE_KEYS: Final = {
    *("build", "cap_drop", "command", "depends_on", "environment", "healthcheck"),
    *("hostname", "image", "networks", "ports", "read_only", "restart"),
    *("security_opt", "stop_grace_period", "volumes"),
}
"""What is used here of what the Compose Specification has for a service."""


@dataclass(frozen=True)
class Probe:
    """Where a worker is asked how it is, and how many seconds it is given."""

    port: int
    path: str
    timeout: float


@dataclass(frozen=True)
class Place:
    """How a worker is run in one place, as the file of that place has it.

    Attributes:
        environ: all its variables, those that the image brings along included.
        port: the one at which others reach it.
        grace: seconds between SIGTERM and SIGKILL.
        nginx: the variables of nginx, and `ports` where it is reached.
        hosts: those whom it finds by name, and their ports.
    """

    environ: Mapping[str, str]
    port: int
    grace: float
    live: Probe | None
    ready: Probe
    nginx: Mapping[str, str]
    ports: Mapping[int, int]
    hosts: Mapping[str, int]


def environ_of_the_image() -> dict[str, str]:
    lines = re.findall(r"^ENV (.+)$", DOCKERFILE, re.MULTILINE)
    return dict(word.split("=", 1) for line in lines for word in line.split())


def port_of_the_image() -> int:
    (port,) = re.findall(r"^EXPOSE (\d+)$", DOCKERFILE, re.MULTILINE)
    return int(port)


def seconds(text: str) -> float:
    return float(text.removesuffix("s"))


def compose_environ(service: str) -> dict[str, str]:
    """The variables of a service, with values for those that have to be given."""
    return {
        name: re.sub(r"\$\{\w+:\?[^}]+\}", "secret", text).replace("$$", "$")
        for name, text in COMPOSE["services"][service]["environment"].items()
    }


def compose_place(worker: str) -> Place:
    services = COMPOSE["services"]
    check = services[worker]["healthcheck"]
    probe = re.search(
        r'"http://127\.0\.0\.1:(\d+)(\S+)", timeout=(\d+)', check["test"][3]
    )
    assert probe is not None
    published = [each.split(":") for each in services["nginx"]["ports"]]
    assert {address for address, _, _ in published} == {"127.0.0.1"}
    return Place(
        environ={**environ_of_the_image(), **compose_environ(worker)},
        port=port_of_the_image(),
        grace=seconds(services[worker]["stop_grace_period"]),
        live=None,
        ready=Probe(int(probe[1]), probe[2], float(probe[3])),
        nginx=compose_environ("nginx"),
        ports={int(outer): int(inner) for _, outer, inner in published},
        # Engines listen where they always do.
        hosts={worker: port_of_the_image(), "postgres": 5432, "redis": 6379},
    )


def pod(name: str) -> Any:
    return MANIFESTS[name]["spec"]["template"]["spec"]


def container(name: str) -> Any:
    (only,) = pod(name)["containers"]
    return only


def container_ports(name: str) -> dict[str, int]:
    return {port["name"]: port["containerPort"] for port in container(name)["ports"]}


def service_ports(name: str) -> dict[str, int]:
    ports = MANIFESTS[f"Service/{name}"]["spec"]["ports"]
    return {port["name"]: port["port"] for port in ports}


def kubernetes_probe(kind: str) -> Probe:
    probe = container("Deployment/worker")[kind]
    port = container_ports("Deployment/worker")[probe["httpGet"]["port"]]
    return Probe(port, probe["httpGet"]["path"], probe["timeoutSeconds"])


def kubernetes_place() -> Place:
    worker = container("Deployment/worker")
    (shared,), (secret,) = worker["envFrom"], worker["env"]
    inner = container_ports("Deployment/nginx")
    # The value of the secret is what the README makes it.
    made = re.search(rf'--from-literal={secret["name"]}="(.+?)"', README)
    assert made is not None
    return Place(
        environ={
            **environ_of_the_image(),
            **MANIFESTS[f"ConfigMap/{shared['configMapRef']['name']}"]["data"],
            secret["name"]: made[1],
        },
        port=container_ports("Deployment/worker")["http"],
        grace=pod("Deployment/worker")["terminationGracePeriodSeconds"],
        live=kubernetes_probe("livenessProbe"),
        ready=kubernetes_probe("readinessProbe"),
        nginx={
            each["name"]: each["value"] for each in container("Deployment/nginx")["env"]
        },
        ports={port: inner[name] for name, port in service_ports("board").items()},
        hosts={
            host: port
            for host in ("worker", "postgres", "redis")
            for port in service_ports(host).values()
        },
    )


PLACES: Final = {
    "compose, worker-1": compose_place("worker-1"),
    "compose, worker-2": compose_place("worker-2"),
    "kubernetes": kubernetes_place(),
}
each_place = pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
each_manifest = pytest.mark.parametrize("manifest", MANIFESTS.values(), ids=MANIFESTS)


@each_manifest
@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_takes_every_manifest(manifest: Any, version: str) -> None:
    checked = kubernetes_validate.validate(manifest, version, strict=True)
    # It would take an older one for a version that it does not know.
    assert version.startswith(checked)


@each_place
def test_every_variable_is_a_setting_and_every_value_is_taken(place: Place) -> None:
    known = {field.name.upper() for field in fields(Settings)}
    assert place.environ.keys() <= known | OF_PYTHON
    assert place.environ.keys() >= OF_EACH_PLACE
    settings = read_settings(place.environ)
    # Others than those in the container reach it too.
    assert settings.bind == f"0.0.0.0:{place.port}"


@each_place
def test_the_engines_are_where_the_settings_say(place: Place) -> None:
    settings = read_settings(place.environ)
    for url, host in (
        (settings.database_url, "postgres"),
        (settings.redis_url, "redis"),
    ):
        assert (urlsplit(url).hostname, urlsplit(url).port) == (host, place.hosts[host])


@each_place
def test_nginx_is_where_the_settings_say(place: Place) -> None:
    settings = read_settings(place.environ)
    outer = [settings.port, settings.other_port]
    inner = [int(place.nginx[name]) for name in ("LISTEN", "OTHER_LISTEN")]
    assert place.ports == dict(zip(outer, inner, strict=True))


@each_place
def test_nginx_is_told_all_that_its_file_asks_for(place: Place) -> None:
    asked = set(re.findall(r"\$\{(\w+)\}", NGINX_CONF))
    assert asked == OF_NGINX == place.nginx.keys() - {"NGINX_ENVSUBST_FILTER"}
    # The image leaves alone what nginx itself has variables for.
    own = set(re.findall(r"\$(\w+)", NGINX_CONF))
    for names, is_replaced in ((OF_NGINX, True), (own, False)):
        for name in names:
            found = re.search(place.nginx["NGINX_ENVSUBST_FILTER"], name)
            assert bool(found) is is_replaced


@each_place
def test_nginx_knows_the_worker_by_its_name_and_port(place: Place) -> None:
    (host, *_), port = place.hosts, place.port
    assert f"server {host}:{port} max_fails=0;" in place.nginx["WORKERS"]
    # One line, since it is put into a comment as well.
    assert "\n" not in place.nginx["WORKERS"]


@each_place
async def test_probes_ask_at_the_port_and_the_paths_of_the_worker(place: Place) -> None:
    async with worker_without_engines(place.environ) as app:
        # Two answers that differ, so neither probe can be the other's.
        for probe, status in ((place.live, 200), (place.ready, 503)):
            if probe is not None:
                assert probe.port == place.port
                assert (await http_request(app, "GET", probe.path)).status == status
    # When PostgreSQL does not answer in time, the worker does.
    assert place.ready.timeout >= 2 * read_settings(place.environ).database_seconds


@asynccontextmanager
async def worker_without_engines(
    environ: Mapping[str, str],
) -> AsyncGenerator[Application]:
    nowhere = f"127.0.0.1:{free_port()}"
    engines = {
        "DATABASE_URL": f"postgresql://board@{nowhere}/board",
        "REDIS_URL": f"redis://{nowhere}/0",
    }
    settings = read_settings({**environ, **engines})
    async with open_worker(settings) as worker:
        app = make_application(settings, worker)
        add_health(app, worker)
        yield app


@each_place
def test_a_worker_may_drain_before_it_is_killed(place: Place) -> None:
    # Its streams have so much patience to end, and then the server.
    needed = read_settings(place.environ).drain_seconds + 2 * PATIENCE
    assert place.grace >= needed + 5


def test_a_worker_that_drains_is_asked_before_it_cuts_its_streams() -> None:
    probe = container("Deployment/worker")["readinessProbe"]
    noticed = (
        probe["periodSeconds"] * probe["failureThreshold"] + probe["timeoutSeconds"]
    )
    assert read_settings(PLACES["kubernetes"].environ).drain_seconds > noticed


async def test_prometheus_is_told_where_the_metrics_of_a_worker_are() -> None:
    place = PLACES["kubernetes"]
    metadata = MANIFESTS["Deployment/worker"]["spec"]["template"]["metadata"]
    told = metadata["annotations"]
    assert told["prometheus.io/scrape"] == "true"
    assert int(told["prometheus.io/port"]) == place.port
    async with worker_without_engines(place.environ) as app:
        answer = await http_request(app, "GET", told["prometheus.io/path"])
    assert answer.status == 200
    assert "board_orders" in answer.text


def test_nginx_ends_before_it_is_killed() -> None:
    nginx = container("Deployment/nginx")
    sleeps = nginx["lifecycle"]["preStop"]["sleep"]["seconds"]
    waits = re.search(r"worker_shutdown_timeout (\d+)s;", nginx["args"][-1])
    assert waits is not None
    grace = pod("Deployment/nginx")["terminationGracePeriodSeconds"]
    assert grace >= sleeps + int(waits[1]) + 5


def test_postgres_has_a_connection_for_every_worker_there_may_be() -> None:
    settings = read_settings(PLACES["kubernetes"].environ)
    spec = MANIFESTS["Deployment/worker"]["spec"]
    most = spec["replicas"] + spec["strategy"]["rollingUpdate"]["maxSurge"]
    # One more each, which tells who makes the prices. Three are for superusers.
    assert most * (settings.database_connections + 1) <= POSTGRES_CONNECTIONS - 3


@each_manifest
def test_whoever_selects_pods_finds_some(manifest: Any) -> None:
    spec = manifest.get("spec", {})
    selector = spec.get("selector", {})
    chosen = selector.get("matchLabels", selector)
    found = [
        name
        for name, other in MANIFESTS.items()
        if "template" in other.get("spec", {})
        and chosen.items() <= other["spec"]["template"]["metadata"]["labels"].items()
    ]
    if manifest["kind"] == "ConfigMap":
        return
    assert len(found) == 1
    if manifest["kind"] == "Service":
        targets = {port["targetPort"] for port in spec["ports"]}
        assert targets <= container_ports(found[0]).keys()
    if manifest["kind"] == "PodDisruptionBudget":
        # As many as may be missing are not all there are.
        assert spec["maxUnavailable"] < MANIFESTS[found[0]]["spec"]["replicas"]


def test_secrets_are_referred_to_and_made_by_the_reader() -> None:
    assert not [name for name in MANIFESTS if name.startswith("Secret/")]
    references = re.findall(
        r"secretKeyRef:\s+name: (\w+)\s+key: (\w+)",
        "".join(file.read_text(encoding="utf-8") for file in MANIFEST_FILES),
    )
    assert {name for name, _ in references} == {"board"}
    made = re.findall(r"--from-literal=(\w+)=", README)
    assert sorted(made) == sorted({key for _, key in references})


def test_the_board_is_applied_as_a_whole_and_engines_by_themselves() -> None:
    listed = {FOLDER / name for name in KUSTOMIZATION["resources"]}
    engines = FOLDER / "kubernetes" / "engines.yaml"
    assert listed == {*MANIFEST_FILES} - {engines}
    assert engines.relative_to(ROOT).as_posix() in README
    # The worker's image, and nginx's template, come by the names that are used.
    (image,) = KUSTOMIZATION["images"]
    assert image["name"] == container("Deployment/worker")["image"]
    built = f"{image['newName']}:{image['newTag']}"
    assert built == COMPOSE["services"]["worker-1"]["image"]
    (generated,) = KUSTOMIZATION["configMapGenerator"]
    volumes = pod("Deployment/nginx")["volumes"]
    assert generated["name"] in {
        volume["configMap"]["name"] for volume in volumes if "configMap" in volume
    }
    ((name, file),) = (each.split("=") for each in generated["files"])
    assert (FOLDER / file).read_text(encoding="utf-8") == NGINX_CONF
    mounted = f"./{file}:/etc/nginx/templates/{name}:ro"
    assert mounted in COMPOSE["services"]["nginx"]["volumes"]


def test_what_a_compose_file_refers_to_is_there() -> None:
    services = COMPOSE["services"]
    for service in services.values():
        assert service.keys() <= SERVICE_KEYS
        assert set(service["networks"]) <= COMPOSE["networks"].keys()
        assert set(service.get("depends_on", [])) <= services.keys()
        for volume in service.get("volumes", []):
            name = volume.split(":")[0]
            assert name in COMPOSE["volumes"] or (FOLDER / name).is_file()
    build = services["worker-1"]["build"]
    assert (FOLDER / build["context"]).resolve() == ROOT
    assert ROOT / build["dockerfile"] == FOLDER / "Dockerfile"
    asked = seconds(services["worker-1"]["healthcheck"]["timeout"])
    assert PLACES["compose, worker-1"].ready.timeout < asked


def test_the_image_has_all_packages_and_all_that_the_application_is() -> None:
    installed = set(re.findall(r"/packages/(\w+)", DOCKERFILE))
    packages = {path.parent.name for path in ROOT.glob("packages/*/pyproject.toml")}
    assert installed == packages
    allowed = (FOLDER / "Dockerfile.dockerignore").read_text(encoding="utf-8")
    sources = re.findall(r"^COPY (?!--from)(\S+) ", DOCKERFILE, re.MULTILINE)
    assert [
        line[1:] for line in allowed.splitlines() if line.startswith("!")
    ] == sources
    for source in sources:
        assert (ROOT / source).exists()
    (user,) = re.findall(r"^USER (\d+):\d+$", DOCKERFILE, re.MULTILINE)
    assert int(user) > 0
    command = re.findall(r'"(\S+)"', DOCKERFILE.split("\nCMD ")[1])
    assert ROOT / command[-1] == FOLDER / "worker.py"


def test_the_image_has_every_distribution_that_is_imported() -> None:
    installed = set(re.findall(r"^ {8}(\w+)", DOCKERFILE, re.MULTILINE))
    extras = set(re.findall(r"/packages/core\[(\w+)\]", DOCKERFILE))
    for file in ROOT.glob("packages/*/pyproject.toml"):
        project = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
        needed = [project["name"], *project["dependencies"]]
        for extra in extras & project.get("optional-dependencies", {}).keys():
            needed += project["optional-dependencies"][extra]
        installed |= {re.split(r"[^\w-]", each, maxsplit=1)[0] for each in needed}
    distributions = packages_distributions()
    folders = [FOLDER, ROOT / "examples" / "demo" / "board"]
    for path in (path for folder in folders for path in folder.rglob("*.py")):
        for name in imported(path) - sys.stdlib_module_names - {"board", "scale_out"}:
            candidates = map(canonicalize_name, distributions.get(name, [name]))
            assert installed.intersection(candidates), name


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names.add(node.module)
    return {name.partition(".")[0] for name in names}


def test_the_readme_lists_every_setting_with_its_default() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| `?(.+?)`? \|", README, re.MULTILINE)
    defaults = {field.name.upper(): field.default for field in fields(Settings)}
    numbers = {
        name: re.sub(r"\.0$", "", str(value)) for name, value in defaults.items()
    }
    assert dict(rows) == {**numbers, "OTHER_PORT": "PORT` + 1"}
