"""Proxies as the front end declares them are those that workers compute."""

from typing import get_args

from app.experiment import proxies as declared
from workers.proxies import FUNCTIONS


def test_every_proxy_that_is_declared_is_computed() -> None:
    assert list(declared.PROXIES) == list(FUNCTIONS) == list(get_args(declared.ProxyName))
    assert all(name == proxy.name for name, proxy in declared.PROXIES.items())


def test_every_need_is_explained() -> None:
    assert set(declared.NEEDS) == set(get_args(declared.ProxyNeed))


def test_papers_and_links_name_the_same_paper() -> None:
    for proxy in declared.PROXIES.values():
        assert proxy.paper.endswith(f"arXiv:{proxy.link.removeprefix('https://arxiv.org/abs/')}")
