"""What nginx passes on, and what it keeps to itself."""

from collections.abc import Callable

from programs import request

from .clients import Caller
from .workers import Site


async def test_nginx_passes_on_what_workers_need_to_know(
    new_site: Callable[..., Site],
) -> None:
    site = new_site()
    form = b"side=buy&symbol=KELP&quantity=1"
    own, other = (
        f"http://127.0.0.1:{port}" for port in (site.port, site.nginx.other_port)
    )
    for origin, status in ((own, 303), (other, 403)):
        headers = {
            "content-type": "application/x-www-form-urlencoded",
            "host": f"127.0.0.1:{site.port}",
            "origin": origin,
        }
        answer = request(site.port, "POST", "/orders", headers=headers, body=form)
        assert answer.status == status
    # What is for those inside is kept from those outside.
    for path in ("/metrics", "/health/live", "/health/ready", "/health/"):
        for port in (site.port, site.nginx.other_port):
            assert request(port, "GET", path).status == 404
    # Another origin may read the API, and this one is reached at a port of its own.
    assert request(site.nginx.other_port, "GET", "/other").status == 200
    page = request(site.port, "GET", "/")
    assert page.status == 200
    assert own.encode() in page.body or other.encode() in page.body


async def test_a_worker_that_is_gone_costs_no_request(
    new_site: Callable[..., Site],
) -> None:
    site = new_site()
    site.workers[0].process.kill()
    for _ in range(10):
        assert (await Caller(site.port).call("GET", "/api/stocks")).status == 200
        answer = await Caller(site.port).call("POST", "/api/orders", {"side": "buy"})
        assert answer.status == 422
    site.workers[1].process.kill()
    answer = await Caller(site.port).call("POST", "/api/orders", {"side": "buy"})
    assert answer.status == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "1"
    assert answer.json()["status"] == 503
