"""One process for each kind of server, and the ways to speak to it."""

import ssl
from collections.abc import Callable, Generator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from .commands import Certificate
from .servers import Endpoint, Server, troubles

FAILED: Final = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember that a test failed, for its fixtures."""
    report = yield
    if report.failed:
        item.stash[FAILED] = True
    return report


def pytest_configure(config: pytest.Config) -> None:
    """Declare the mark of the tests that make the application fail."""
    config.addinivalue_line(
        "markers", "troubled: the server's log is expected to tell of a failure"
    )


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for localhost that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("certificate")
    chain_path, key_path = folder / "chain.pem", folder / "key.pem"
    chain_path.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.create_default_context(cafile=str(chain_path))
    context.set_alpn_protocols(["h2"])
    return Certificate(chain_path, key_path, context)


@pytest.fixture(scope="session")
def new_server(
    certificate: Certificate, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Server]]:
    """Starts a server of its own for a test. It is stopped at the latest at the end."""
    servers: list[Server] = []

    def start(kind: str) -> Server:
        server = Server(kind, tmp_path_factory.mktemp(kind), certificate)
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(scope="session")
def shared_server(new_server: Callable[[str], Server]) -> Callable[[str], Server]:
    """Gives the server of a kind that most tests share; a new one if that ended."""
    servers: dict[str, Server] = {}

    def get(kind: str) -> Server:
        if kind not in servers or not servers[kind].is_running:
            servers[kind] = new_server(kind)
        return servers[kind]

    return get


@pytest.fixture
def endpoint(
    request: pytest.FixtureRequest, shared_server: Callable[[str], Server]
) -> Iterator[Endpoint]:
    """The server and protocol that a test is run with, such as "hypercorn h2".

    Afterwards the server's log must tell of no trouble, unless the test is marked.
    """
    kind, _, protocol = request.param.partition(" ")
    server = shared_server(kind)
    written = len(server.log())
    yield Endpoint(server, protocol)
    if request.node.stash.get(FAILED, default=False):
        # What it left behind must not fail the next test too.
        server.kill()
    log = server.log()[written:]
    if request.node.get_closest_marker("troubled") is None:
        assert not troubles(log), log
